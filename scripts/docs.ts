// `npm run docs`: what is written about the settings, from their schema, and the figures, from the bench's results.
// `npm run docs -- --check` only says what is stale, and fails if a figure has no place or no result any more.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { settingGroups as allGroups } from '../src/config.ts';
import { envExample, fileSources } from './env-file/pages.ts';
import { pagesWithFigures } from './figures.ts';
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

const figures = pagesWithFigures();
const generated: Record<string, string> = {
  ...envExample(settingGroups),
  'docs/settings.md': settingsPage(),
  ...aclPages(read),
  ...figures.pages,
  [compose]: read(compose).replace(
    /(# settings: begin.*\n)[\s\S]*?(\n *# settings: end)/,
    (_, begin: string, end: string) => begin + composeEnvironment() + end,
  ),
};
const stale = Object.entries(generated).filter(([name, text]) => text !== read(name));
for (const problem of figures.problems) console.error(`${problem}; restore that, or take it out of scripts/figures.ts`);
if (process.argv.includes('--check')) {
  for (const [name] of stale) console.error(`${name} is stale; run npm run docs`);
  process.exitCode = stale.length + figures.problems.length > 0 ? 1 : 0;
} else {
  for (const [name, text] of stale) writeFileSync(pathOf(name), text);
}

function settingsPage(): string {
  const groups = settingGroups.map(({ title, settings }) => {
    const rows = Object.entries(settings).map(([name, setting]) => {
      const value = setting.default === undefined ? (setting.unset ?? '') : `\`${setting.default}\``;
      return `| \`${name}\` | ${cell(value)} | ${cell(setting.about)} |`;
    });
    return `## ${title}\n\n| setting | default | what it decides |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
  });
  const sources = ['- **The environment.**'];
  sources.push(...fileSources(settingGroups));
  return `# Settings

<!-- Made by \`npm run docs\` from the schema in src/settings and src/features/*/settings.ts. -->

Latchkey is configured by environment variables. It checks all of them before it starts, and lists every mistake in
one message, each with its fix. An empty value counts as unset.

## Where they are read from

${sources.join('\n')}

${groups.join('\n')}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function composeEnvironment(): string {
  return settingGroups
    .flatMap(({ settings }) => Object.keys(settings))
    .filter((name) => !setByImage.includes(name))
    .map((name) => `      ${name}: ${composeValues[name] ?? `\${${name}:-}`}`)
    .join('\n');
}
