import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type Command, type Given, UsageError } from './command.ts';

/** The options that every command takes. */
const commonOptions = {
  json: { type: 'boolean' },
  yes: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export type CommandLine = {
  name: string;
  command: Command;
  given: Given;
  json: boolean;
  yes: boolean;
};

/**
 * Reads the command line. The options that every command takes may also stand before its name.
 * @returns undefined where only help is asked for
 * @throws {UsageError}
 */
export function readCommandLine(commands: Record<string, Command>, words: string[]): CommandLine | undefined {
  const at = words.findIndex((word) => !isOption(word, commonOptions));
  const name = words[at] ?? 'help';
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  const asksForHelpFirst = words.slice(0, at).some((word) => word === '--help' || word === '-h');
  if (name === 'help' || (!command && asksForHelpFirst)) return undefined;
  if (!command) throw new UsageError(`there is no command "${name}"`);
  const { values, positionals } = parse(command, words.toSpliced(at, 1));
  if (values.help === true) return undefined;
  const [min, max] = command.operands;
  if (positionals.length < min) throw new UsageError(`${name} needs ${min === 1 ? 'an argument' : 'more arguments'}`);
  if (positionals.length > max) throw new UsageError(`unexpected argument "${positionals[max]}"`);
  const { json, yes, ...own } = values;
  return { name, command, given: { operands: positionals, values: own }, json: json === true, yes: yes === true };
}

function parse({ options = {} }: Command, args: string[]) {
  try {
    const all: NonNullable<ParseArgsConfig['options']> = { ...options, ...commonOptions };
    const given = { args: attachValues(args, all), options: all, allowPositionals: true, tokens: true } as const;
    const { values, positionals, tokens } = parseArgs(given);
    const named = tokens.flatMap((token) => (token.kind === 'option' && token.value !== undefined ? token.name : []));
    refuseSecondValue(named);
    return { values: values as Record<string, string | boolean | undefined>, positionals };
  } catch (error) {
    // Node's own words name the option and what it lacks.
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

// `parseArgs` keeps the last value, and silently drops the others.
function refuseSecondValue(names: string[]): void {
  const twice = names.find((name, position) => names.indexOf(name) < position);
  if (twice !== undefined) throw new UsageError(`--${twice} may be given only once`);
}

/**
 * A value may begin with a dash, as one session in 64 does, but `parseArgs` takes such a value only as `--option=value`.
 * What follows an option is its value, even if it looks like a mistyped option, unless it is an option as well.
 */
function attachValues(args: string[], options: NonNullable<ParseArgsConfig['options']>): string[] {
  const takesValue = (word: string) => isOption(word, options) && options[word.slice(2)]?.type === 'string';
  const words: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const [word = '', next] = args.slice(at, at + 2);
    if (word === '--') return [...words, ...args.slice(at)];
    const hasDash = takesValue(word) && next?.startsWith('-') && !isOption(next, options);
    words.push(hasDash ? `${word}=${next}` : word);
    if (hasDash) at += 1;
  }
  return words;
}

function isOption(word: string, options: object): boolean {
  return word === '-h' || (word.startsWith('--') && Object.hasOwn(options, word.slice(2)));
}

/** How the commands are typed: all of them, or the one with this name. */
export function usageText(commands: Record<string, Command>, name?: string): string {
  const chosen = Object.entries(commands).filter(([each]) => name === undefined || each === name);
  const shown = (chosen.length > 0 ? chosen : Object.entries(commands)).map(([, command]) => command);
  const forms = shown.flatMap(({ usage, about }) =>
    usage.map((form, position) => ({ form: `latchkey ${form}`, about: position === 0 ? about : '' })),
  );
  const width = Math.max(...forms.map(({ form }) => form.length));
  const lines = forms.map(({ form, about }) => `  ${form.padEnd(width)}  ${about}`.trimEnd());
  return `Usage:\n${lines.join('\n')}\n\nEvery command takes --json.${confirmationText(shown)}\n`;
}

function confirmationText(commands: Command[]): string {
  const asking = commands.flatMap(({ asksFirst }) => asksFirst ?? []);
  if (asking.length === 0) return '';
  const list = new Intl.ListFormat('en').format(asking.map((words) => `"${words}"`));
  return ` ${list} can't be undone: confirm on the terminal, or pass --yes.`;
}
