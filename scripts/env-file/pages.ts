// What is written of `.env` and of files with secrets.
import type { Setting, Settings } from '../../src/settings/setting.ts';

type Group = { title: string; settings: Settings };

/** The template of `.env`, as a file by its name. */
export function envExample(settingGroups: Group[]): Record<string, string> {
  const head = `Copy this file to .env, and remove the # in front of each setting that you change. A variable of the environment
takes precedence over one of this file, and an empty value counts as unset. A value with a #, a $( or a \${ in it needs
single quotes around it. docs/settings.md is the same as a page. Made by \`npm run docs\`.`;
  const groups = settingGroups.map(({ title, settings }) => {
    const each = Object.entries(settings).map(
      ([name, setting]) => `${comment(describe(name, setting))}# ${name}=${setting.default ?? ''}\n`,
    );
    return [`# ${title}\n# ${'-'.repeat(title.length)}\n`, ...each].join('\n');
  });
  return { '.env.example': `${head.replace(/^/gm, '# ')}\n\n${groups.join('\n')}` };
}

function describe(name: string, { about, unset, isSecret }: Setting): string {
  const notes = [about];
  if (unset !== undefined) notes.push(`If unset: ${unset}.`);
  if (isSecret) notes.push(`Or set ${name}_FILE to the path of a file that holds it.`);
  return notes.join(' ').replaceAll('`', '');
}

/** Lines of at most 110 characters, each a comment. */
function comment(text: string): string {
  return text.replace(/(.{1,108})(?:\s+|$)/g, '# $1\n');
}

/** Where settings are read from besides the environment, as the items of a list. */
export function fileSources(settingGroups: Group[]): string[] {
  const secrets = settingGroups.flatMap(({ settings }) =>
    Object.entries(settings).flatMap(([name, { isSecret }]) => (isSecret ? [`\`${name}_FILE\``] : [])),
  );
  return [
    `- **\`.env\`** in the working directory, with one \`NAME=value\` per line; [.env.example](../.env.example) is a
  template. The environment takes precedence. Every line must be understood, or Latchkey doesn't start;
  [env-file.md](env-file.md) has the rules.`,
    `- **Files**, for secrets such as those that Docker and Kubernetes mount:
  ${list(secrets)} each name a file that holds the value.
  Each process reads it once, at its start, and drops one line break at its end. Setting both a secret and its file is
  a mistake.`,
  ];
}

function list(items: string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
