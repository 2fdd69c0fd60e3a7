// node scripts/without.mjs NAME …: takes features out of the tree that it is called in.
// docs/forking.md says what belongs to a feature. node_modules stays as it is, and no network is needed.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

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
/** The code that names features, one to a line. */
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

const features = readFeatures();
const removed = withDependents(process.argv.slice(2));
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
for (const file of composition) if (existsSync(file)) rewrite(file, (code) => withoutLines(code, gone));
for (const path of gone) rmSync(path, { recursive: true, force: true });
for (const file of filesBelow('.')) if (textFiles.test(file)) rewrite(file, withoutBlocks);
removeUnused();
const listings = [...kept.map((name) => `src/features/${name}/feature.json`), 'deploy/grafana/dashboard.json'];
for (const file of ['package.json', 'biome.json', ...listings.filter((file) => existsSync(file))]) {
  rewrite(file, withoutMentions);
}
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
run(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'format', '--write', '--log-level=error', '.']);
console.log(`Took out ${removed.join(', ')}. Next: npm install && npm run check && npm test`);

/** @returns {Map<string, Feature>} */
function readFeatures() {
  if (!existsSync('src/features')) stop('there is no src/features here; call it from the top of the project');
  return new Map(readdirSync('src/features').map((name) => [name, readFeature(name)]));
}

function readFeature(/** @type {string} */ name) {
  const file = `src/features/${name}/feature.json`;
  return { needs: [], dependencies: [], paths: [], ...(existsSync(file) && JSON.parse(readFileSync(file, 'utf8'))) };
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
    for (const file of composition) if (existsSync(file)) rewrite(file, (code) => withoutLines(code, unused));
    const tests = unused.map((file) => file.replace(/^src\/(features\/)?(.+)\.ts$/, 'test/$2.test.ts'));
    for (const file of [...unused, ...tests]) rmSync(file, { force: true });
    gone.push(...unused, ...tests);
  }
}

function codeFiles() {
  const rooms = ['src', 'test', 'bench', 'scripts'].filter((room) => existsSync(room));
  return rooms.flatMap(filesBelow).filter((file) => /\.(ts|mjs)$/.test(file));
}

/** The modules of the project, and which files import each. */
function importersOf(/** @type {string[]} */ files) {
  /** @type {Map<string, string[]>} */
  const importers = new Map();
  for (const file of files) {
    const named = readFileSync(file, 'utf8').matchAll(
      /(?:\bfrom|\bimport|\bimport\(|\bresolve\(|\bURL\()\s*['"](\.[^'"]+)['"]/g,
    );
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
 * Code without the statements and members that name something of a removed feature: its path, or what an import or
 * a declaration that goes has bound.
 */
function withoutLines(/** @type {string} */ code, /** @type {string[]} */ paths) {
  let units = unitsOf(code);
  const shared = paths.flatMap((file) => /^src(\/shared\/.+)$/.exec(file)?.[1] ?? []);
  const path = new RegExp([`/features/(${removed.join('|')})/`, `\\./(${removed.join('|')})/`, ...shared].join('|'));
  const bound = new Set();
  for (let before = -1; before !== units.length; ) {
    before = units.length;
    units = units.filter(({ text, names }) => {
      const isGone = path.test(text) ? /^\s*(import|export)\b/.test(text) : names.some((name) => bound.has(name));
      if (isGone) for (const name of boundBy(text)) bound.add(name);
      return !isGone;
    });
  }
  return (bound.size > 0 ? withoutUnusedImports(units) : units).map(({ text }) => text).join('\n');
}

/** What another feature has exported for the removed one may be used nowhere now. */
function withoutUnusedImports(/** @type {{ text: string, names: string[] }[]} */ units) {
  const isImport = (/** @type {string} */ text) => /^\s*import\b/m.test(text);
  const used = new Set(units.filter(({ text }) => !isImport(text)).flatMap(({ names }) => names));
  return units.filter(({ text }) => {
    const names = isImport(text) ? boundBy(text) : [];
    return names.length === 0 || names.some((name) => used.has(name));
  });
}

/** Statements, members and the like, each with the comment above it and the names that it uses. */
function unitsOf(/** @type {string} */ code) {
  /** @type {{ text: string, names: string[] }[]} */
  const units = [];
  let comment = '';
  let text = '';
  for (const line of code.split('\n')) {
    if (text === '' && /^\s*(\/\/|\/\*\*|\*)/.test(line)) {
      comment += `${line}\n`;
      continue;
    }
    text += `${text && '\n'}${line}`;
    if (continues(text)) continue;
    const words = text.replace(/'[^']*'|\/\/.*/g, '').replace(/(?<!\.)\.\s*[\w$]+/g, '');
    units.push({ text: comment + text, names: words.match(/[\w$]+/g) ?? [] });
    comment = '';
    text = '';
  }
  return units;
}

/** Whether more lines belong to it: an import or call that is not closed yet, or a value that follows. */
function continues(/** @type {string} */ text) {
  const code = text.replace(/'[^']*'/g, '');
  if (/^(import|export) (type )?\{/.test(code)) return !/;\s*$/.test(code);
  const open = (code.match(/\(/g)?.length ?? 0) - (code.match(/\)/g)?.length ?? 0);
  return (open > 0 && !/(\{|=>)\s*$/.test(code)) || /(=|=>|\?|&&|\|\|)\s*$/.test(code);
}

/** What it declares. */
function boundBy(/** @type {string} */ text) {
  const code = text.replace(/^\s*(\/\/|\/\*\*|\*).*\n/gm, '').trim();
  const [, listed] = /^(?:import|const)\s+(?:type\s+)?\{([^}]*)\}/.exec(code) ?? [];
  if (listed !== undefined) {
    return listed.split(',').flatMap((item) => /(\w+)\s*$/.exec(item.replace(/=.*/s, ''))?.[1] ?? []);
  }
  const [, name] = /^(?:import|(?:export\s+)?(?:const|type|function))\s+(\w+)/.exec(code) ?? [];
  return name === undefined ? [] : [name];
}

/**
 * Text without the parts that are marked as a removed feature's: from a line that is a comment saying
 * `feature: NAME` to the one that says `end: NAME`, or a single line that ends in such a comment.
 */
function withoutBlocks(/** @type {string} */ text) {
  let inside;
  const lines = text.split('\n');
  const left = lines.filter((line) => {
    const [, begins] = /(?:#|\/\*|<!--|<%#|\/\/) feature: ([\w-]+(?:, [\w-]+)*)/.exec(line) ?? [];
    const [, ends] = /(?:#|\/\*|<!--|<%#|\/\/) end: ([\w-]+(?:, [\w-]+)*)/.exec(line) ?? [];
    if (inside !== undefined) {
      if (ends === inside) inside = undefined;
      return false;
    }
    if (!begins?.split(', ').some((name) => removed.includes(name))) return true;
    if (/^\s*(#|\/\*|<!--|<%#|\/\/) feature: /.test(line)) inside = begins;
    return false;
  });
  if (inside !== undefined) stop(`a block of ${inside} has no end`);
  return left.length === lines.length ? text : left.join('\n').replace(/\n{3,}/g, '\n\n');
}

/**
 * JSON without the members and items that name a removed file, or what is built from it, without objects whose member
 * `feature` names a removed feature, and without what is then empty.
 */
function withoutMentions(/** @type {string} */ json) {
  const paths = gone.flatMap((path) => [path, path.replace(/^src\//, 'dist/')]);
  const isGone = (value) =>
    typeof value === 'string'
      ? paths.some((path) => value.includes(path))
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

function isFull(/** @type {unknown} */ value) {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function rewrite(/** @type {string} */ file, /** @type {(text: string) => string} */ change) {
  const before = readFileSync(file, 'utf8');
  const after = change(before);
  if (after !== before) writeFileSync(file, after);
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
