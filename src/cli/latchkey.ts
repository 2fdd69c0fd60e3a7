#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { ConfigError, readConfig, sources } from '../config.ts';
import { projectDirectory } from '../project-directory.ts';
import { currentActor } from './actor.ts';
import { type ExitCode, exitCodes, NotConfirmed, reasonOf, UsageError } from './command.ts';
import { readCommandLine, usageText } from './command-line.ts';
import { commands } from './commands.ts';
import { newOperator } from './operator.ts';

process.stdout.on('error', () => {}); // `print` reports it; unheard, the event would end the process.

const words = process.argv.slice(2);
const namedCommand = words.find((word) => Object.hasOwn(commands, word));
void run()
  .catch(explain)
  .then((exitCode) => {
    process.exitCode = exitCode;
  });

async function run(): Promise<ExitCode> {
  if (words[0] === '--version') {
    const { version } = JSON.parse(readFileSync(new URL('package.json', projectDirectory), 'utf8'));
    await print(`${version}\n`);
    return exitCodes.done;
  }
  const line = readCommandLine(commands, words);
  if (!line) {
    await print(usageText(commands, namedCommand));
    return exitCodes.done;
  }
  const { command, given, json, yes } = line;
  const { env, problems, warnings } = sources.read(process.env);
  const config = readConfig(env, problems);
  const operator = newOperator(config, { actor: currentActor(process.env), warnings, yes });
  const outcome = await command.run(given, operator).finally(() => operator.close());
  const { text, json: value, exitCode = exitCodes.done } = outcome;
  try {
    await print(json ? `${JSON.stringify(value, null, 2)}\n` : text);
  } finally {
    for (const notice of operator.notices()) console.error(`latchkey: ${notice}`);
  }
  return exitCode;
}

/** Prints the answer. A reader that closes the pipe early, such as `head`, is no failure; a full disk is one. */
function print(text: string): Promise<void> {
  return new Promise((done, fail) => {
    process.stdout.write(text, (error?: NodeJS.ErrnoException | null) => {
      if (!error || error.code === 'EPIPE') done();
      else fail(new Error('the answer could not be written', { cause: error }));
    });
  });
}

function explain(error: unknown): ExitCode {
  if (error instanceof UsageError) {
    console.error(`latchkey: ${error.message}\n\n${usageText(commands, namedCommand)}`);
    return exitCodes.wrongUsage;
  }
  if (error instanceof NotConfirmed) {
    console.error(`latchkey: ${error.message}`);
    return exitCodes.notConfirmed;
  }
  if (error instanceof ConfigError) console.error(`latchkey: ${error.problems.join('\nlatchkey: ')}`);
  else console.error(`latchkey: ${reasonOf(error)}`);
  return exitCodes.failed;
}
