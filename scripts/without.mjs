// node scripts/without.mjs NAME …: takes features out of the tree that it is called in.
// node scripts/without.mjs --check: only looks for wrong marks.
// docs/forking.md says what belongs to a feature. node_modules stays as it is, and no network is needed.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { withoutMarked, wrongMarks } from './without/marks.mjs';
import { isBelow, withoutUses } from './without/uses.mjs';

/**
 * What a feature says of itself in src/features/NAME/feature.json, besides what its name tells.
 * @typedef {object} Feature
 * @property {string[]} needs other features, without which it cannot be
 * @property {string[]} dependencies packages that the core doesn't use
 * @property {string[]} [words] patterns of what must not be left when it is gone, for the tests
 * @property {string[]} paths files and folders outside its own folders; what several features list goes with the last of
 * them. A module that no code imports any more goes without being listed.
 */

const foldersOf = (name) => [
  ...['src/features', 'src/dev', 'views', 'public', 'test', 'deploy', 'bench', 'scripts'].map(
    (room) => `${room}/${name}`,
  ),
  `docs/${name}.md`,
];
/** The code that names features, each in statements or members of its own. */
const composition = [
  'src/app.ts',
  'src/config.ts',
  'src/server.ts',
  'src/dev/index.ts',
  'scripts/docs.ts',
  'scripts/setup.mjs',
  'scripts/before-start.mjs',
];
const textFiles =
  /(\.(md|ts|mjs|ya?ml|ejs|css|html|jsonc?|conf|cfg|toml|service|example|dockerignore)|Dockerfile|Caddyfile|\/latchkey|run)$/;
const notOurs = new Set(['node_modules', '.git', '.data', 'dist', 'coverage']);

const args = process.argv.slice(2);
const features = readFeatures();
/** The text of each file as it is, and as it will be: nothing is written before everything is known. */
const textsBefore = new Map(filesBelow('.').flatMap((file) => (textFiles.test(file) ? [[file, read(file)]] : [])));
const texts = new Map(textsBefore);
const problems = wrongMarks(texts, [...features.keys()]);
if (problems.length > 0) stop(`nothing was changed, since marks are wrong:\n  ${problems.join('\n  ')}`);
if (args.join() === '--check') process.exit();

const removed = withDependents(args);
const kept = [...features.keys()].filter((name) => !removed.includes(name));
const only = (/** @type {'dependencies' | 'paths'} */ key) => {
  const needed = new Set(kept.flatMap((name) => features.get(name)[key]));
  return [...new Set(removed.flatMap((name) => features.get(name)[key]))].filter((item) => !needed.has(item));
};
/** A path below `dist/` may be named although nothing was built. */
const gone = [...removed.flatMap(foldersOf), ...only('paths')].filter(
  (path) => existsSync(path) || path.startsWith('dist/'),
);
const dependencies = only('dependencies');

const importersBefore = importersOf(codeFiles());
removeUses();
for (const path of gone) drop(path);
for (const file of texts.keys()) rewrite(file, (text) => withoutMarked(text, removed));
removeUnused();
const listings = [...kept.map((name) => `src/features/${name}/feature.json`), 'deploy/grafana/dashboard.json'];
for (const file of ['package.json', 'biome.json', ...listings]) rewrite(file, withoutMentions);

for (const path of gone) rmSync(path, { recursive: true, force: true });
const changed = [...texts].filter(([file, text]) => text !== textsBefore.get(file));
for (const [file, text] of changed) writeFileSync(file, text);
if (dependencies.length > 0) {
  const npm = [
    'uninstall',
    '--package-lock-only',
    '--offline',
    '--ignore-scripts',
    '--omit-lockfile-registry-resolved',
  ];
  run('npm', [...npm, '--no-audit', '--no-fund', '--loglevel=error', ...dependencies]);
}
run(process.execPath, ['--import', 'tsx', 'scripts/docs.ts']);
// Only these: other files may be in the middle of an edit.
const format = ['format', '--write', '--log-level=error', '--no-errors-on-unmatched'];
run(process.execPath, ['node_modules/@biomejs/biome/bin/biome', ...format, ...changed.map(([file]) => file)]);
console.log(`Took out ${removed.join(', ')}. Next: npm install && npm run check && npm test`);

/** @returns {Map<string, Feature>} */
function readFeatures() {
  if (!existsSync('src')) stop('there is no src here; call it from the top of the project');
  const names = existsSync('src/features') ? readdirSync('src/features') : [];
  return new Map(names.map((name) => [name, readFeature(name)]));
}

function readFeature(/** @type {string} */ name) {
  const file = `src/features/${name}/feature.json`;
  return { needs: [], dependencies: [], paths: [], ...(existsSync(file) && JSON.parse(read(file))) };
}

/** Takes out of the code that names features what needs what is gone. */
function removeUses() {
  const named = composition.flatMap((file) => (texts.has(file) ? [[file, texts.get(file)]] : []));
  try {
    const paths = [...removed.flatMap(foldersOf), ...gone];
    for (const [file, text] of withoutUses(new Map(named), paths)) texts.set(file, text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    stop(`nothing was changed, since the code can't be read: ${error.message}`);
  }
}

/**
 * Removes the modules that were imported before and are not any more, and their own tests. Nothing of `src/` is kept for a
 * test, and nothing of `src/shared/` for the code that names features.
 */
function removeUnused() {
  for (;;) {
    const files = codeFiles();
    const importers = importersOf(files);
    const keeps = (/** @type {string} */ importer, /** @type {string} */ file) => {
      if (!file.startsWith('src/')) return true;
      return !importer.startsWith('test/') && !(file.startsWith('src/shared/') && composition.includes(importer));
    };
    const unused = files.filter((file) => {
      const isUsedBy = (/** @type {string} */ importer) => keeps(importer, file);
      return importersBefore.get(file)?.some(isUsedBy) && !importers.get(file)?.some(isUsedBy);
    });
    if (unused.length === 0) return;
    const starts = unused.map((file) => file.replace(/^src\/(features\/)?(.+)\.ts$/, 'test/$2.'));
    const tests = files.filter((file) => file.endsWith('.test.ts') && starts.some((start) => file.startsWith(start)));
    for (const file of [...unused, ...tests]) drop(file);
    gone.push(...unused, ...tests);
    removeUses();
  }
}

function codeFiles() {
  return [...texts.keys()].filter((file) => /^(src|test|bench|scripts)\/.+\.(ts|mjs)$/.test(file));
}

/** The modules of the project, and which files import each. */
function importersOf(/** @type {string[]} */ files) {
  /** @type {Map<string, string[]>} */
  const importers = new Map();
  for (const file of files) {
    const named = texts.get(file).matchAll(/(?:\bfrom|\bimport|\bimport\(|\bresolve\(|\bURL\()\s*['"](\.[^'"]+)['"]/g);
    for (const [, path = ''] of named) {
      const module = join(dirname(file), path);
      importers.set(module, [...(importers.get(module) ?? []), file]);
    }
  }
  return importers;
}

/** These and all that need them. */
function withDependents(/** @type {string[]} */ named) {
  const unknown = named.filter((name) => !features.has(name));
  if (named.length === 0 || unknown.length > 0) {
    stop(
      `${unknown.length > 0 ? `no such feature: ${unknown.join(', ')}` : 'say which'}; there are ${[...features.keys()].join(', ')}`,
    );
  }
  const all = new Set(named);
  for (const name of all) {
    for (const [other, { needs }] of features) {
      if (!needs.includes(name) || all.has(other)) continue;
      console.log(`${other} needs ${name}, and goes too.`);
      all.add(other);
    }
  }
  return [...all];
}

/**
 * JSON without the members and items that name a removed file, or what is built from it, without objects whose member
 * `feature` names a removed feature, and without what is then empty.
 */
function withoutMentions(/** @type {string} */ json) {
  const paths = gone.flatMap((path) => [path, path.replace(/^src\//, 'dist/')]);
  const isGone = (value) =>
    typeof value === 'string'
      ? paths.some((path) => isNamedIn(value, path))
      : isFull(value) && (removed.includes(value.feature) || !isFull(prune(value)));
  const prune = (value) => {
    if (Array.isArray(value)) return value.filter((item) => !isGone(item)).map(prune);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).filter(([, item]) => !isGone(item));
    return Object.fromEntries(entries.map(([key, item]) => [key, prune(item)]));
  };
  const words = [...paths, ...removed.map((name) => `"feature": "${name}"`)];
  return words.some((word) => json.includes(word)) ? `${JSON.stringify(prune(JSON.parse(json)), null, 2)}\n` : json;
}

/** Whether a text names this path or what is below it, and not one that only begins in the same way. */
function isNamedIn(/** @type {string} */ text, /** @type {string} */ path) {
  return new RegExp(`(?<![\\w-])${path.replaceAll('.', '\\.')}(?![\\w-]|\\.\\w)`).test(text);
}

function isFull(/** @type {unknown} */ value) {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function read(/** @type {string} */ file) {
  return readFileSync(file, 'utf8');
}

function rewrite(/** @type {string} */ file, /** @type {(text: string) => string} */ change) {
  if (texts.has(file)) texts.set(file, change(texts.get(file)));
}

/** Leaves out a file, or all that is in a folder. */
function drop(/** @type {string} */ path) {
  for (const file of texts.keys()) if (isBelow(file, [path])) texts.delete(file);
}

/** @returns {string[]} */
function filesBelow(/** @type {string} */ directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return notOurs.has(entry.name) ? [] : filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

function run(/** @type {string} */ command, /** @type {string[]} */ args) {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) stop(`${basename(command)} ${args.join(' ')} failed`);
}

function stop(/** @type {string} */ message) {
  console.error(`without: ${message}`);
  process.exit(1);
}
