// `npm run docs`: what is written about the settings, from their schema. `npm run docs -- --check` only says what is stale.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { settingGroups as allGroups } from '../src/config.ts';
import type { Setting } from '../src/settings/setting.ts';
import { aclPages } from './redis-checks/acl-pages.ts';

const pathOf = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const read = (name: string) => (existsSync(pathOf(name)) ? readFileSync(pathOf(name), 'utf8') : '');
/** A feature may have none. */
const settingGroups = allGroups.filter(({ settings }) => Object.keys(settings).length > 0);
const compose = 'docker-compose.yml';
/** What the image sets itself. */
const setByImage = ['NODE_ENV', 'HOST', 'PORT'];
const makeOne = 'make one with openssl rand -hex 32';
/** Those that Compose gives otherwise than as the operator sets them. */
const composeValues: Record<string, string> = {
  BASE_URL: `\${BASE_URL:-http://localhost:3000}`,
  REDIS_URL: `redis://:\${REDIS_PASSWORD:?${makeOne}}@redis:6379`,
  SESSION_SECRET: `\${SESSION_SECRET:?${makeOne}}`,
};

const generated: Record<string, string> = {
  '.env.example': envExample(),
  'docs/settings.md': settingsPage(),
  ...aclPages(read),
  [compose]: read(compose).replace(
    /(# settings: begin.*\n)[\s\S]*?(\n *# settings: end)/,
    (_, begin: string, end: string) => begin + composeEnvironment() + end,
  ),
};
const stale = Object.entries(generated).filter(([name, text]) => text !== read(name));
if (process.argv.includes('--check')) {
  for (const [name] of stale) console.error(`${name} is stale; run npm run docs`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [name, text] of stale) writeFileSync(pathOf(name), text);
}

function envExample(): string {
  const head = `Copy this file to .env, and remove the # in front of each setting that you change. A variable of the environment
takes precedence over one of this file, and an empty value counts as unset. Values with a # or a \${ in them need
single quotes around them. docs/settings.md is the same as a page. Made by \`npm run docs\`.`;
  const groups = settingGroups.map(({ title, settings }) => {
    const each = Object.entries(settings).map(
      ([name, setting]) => `${comment(describe(name, setting))}# ${name}=${setting.default ?? ''}\n`,
    );
    return [`# ${title}\n# ${'-'.repeat(title.length)}\n`, ...each].join('\n');
  });
  return `${head.replace(/^/gm, '# ')}\n\n${groups.join('\n')}`;
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

function settingsPage(): string {
  const groups = settingGroups.map(({ title, settings }) => {
    const rows = Object.entries(settings).map(([name, setting]) => {
      const value = setting.default === undefined ? (setting.unset ?? '') : `\`${setting.default}\``;
      return `| \`${name}\` | ${cell(value)} | ${cell(setting.about)} |`;
    });
    return `## ${title}\n\n| setting | default | what it decides |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
  });
  const secrets = settingGroups.flatMap(({ settings }) =>
    Object.entries(settings).flatMap(([name, { isSecret }]) => (isSecret ? [`\`${name}_FILE\``] : [])),
  );
  return `# Settings

<!-- Made by \`npm run docs\` from the schema in src/settings and src/features/*/settings.ts. -->

Latchkey is configured by environment variables. It checks all of them before it starts, and lists every mistake in
one message, each with its fix. An empty value counts as unset.

## Where they are read from

- **The environment.** It takes precedence. A variable that looks like a misspelt setting is logged as a warning,
  since platforms set variables of their own.
- **\`.env\`** in the working directory, with one \`NAME=value\` per line; [.env.example](../.env.example) is a
  template. Every line must be understood, or Latchkey doesn't start: a misspelt name, a name set twice, a line
  without \`=\` and a file that cannot be read are reported with their line. UTF-8 is read, and UTF-16 if it begins
  with a byte order mark, as Windows editors save it. \`export\`, comments and quotes are understood. \`\${…}\` and
  \`$(…)\` are not evaluated. A value that contains \`#\`, \`\${\` or \`$(\` needs single quotes.
- **Files**, for secrets such as those that Docker and Kubernetes mount:
  ${list(secrets)} each name a file that holds the value.
  It is read once at the start, and one line break at its end is dropped. Setting both a secret and its file is a
  mistake.

${groups.join('\n')}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function list(items: string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

function composeEnvironment(): string {
  return settingGroups
    .flatMap(({ settings }) => Object.keys(settings))
    .filter((name) => !setByImage.includes(name))
    .map((name) => `      ${name}: ${composeValues[name] ?? `\${${name}:-}`}`)
    .join('\n');
}
