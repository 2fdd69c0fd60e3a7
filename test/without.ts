import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { newDirectory, startServer } from './support/process.ts';
import { Visitor } from './support/visitor.ts';

const project = fileURLToPath(new URL('..', import.meta.url));
const binaries = join(project, 'node_modules/.bin');
const features = readdirSync(join(project, 'src/features'));

type Copy = { directory: string; printed: string; removed: string[] };

/** What tells of the past, and so may mention a feature that has been removed. */
const history = /^(CHANGELOG\.md|bench\/results\/)/;

/** The project as it is now, committed or not, without these features. */
async function projectWithout(names: string[]): Promise<Copy> {
  const directory = newDirectory('without-');
  for (const file of filesOfProject()) cpSync(join(project, file), join(directory, file), { verbatimSymlinks: true });
  symlinkSync(join(project, 'node_modules'), join(directory, 'node_modules'));
  const { code, output } = await run(directory, process.execPath, 'scripts/without.mjs', ...names);
  if (code !== 0) throw new Error(output);
  const kept = existsSync(join(directory, 'src/features')) ? readdirSync(join(directory, 'src/features')) : [];
  return { directory, printed: output, removed: features.filter((name) => !kept.includes(name)) };
}

function filesOfProject(): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { stdout } = spawnSync('git', args, { cwd: project, encoding: 'utf8' });
  return stdout.split('\0').filter((file) => file !== '' && existsSync(join(project, file)));
}

/** Whether a file of the project is there in a copy, and not as it is in the project. */
function hasChanged(file: string, directory: string): boolean {
  const copied = join(directory, file);
  return existsSync(copied) && !readFileSync(copied).equals(readFileSync(join(project, file)));
}

function run(cwd: string, command: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
  const { LATCHKEY_TEST_RUN: _, VITEST: _ours, NODE_ENV: _test, ...env } = process.env;
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  return new Promise((done) => child.once('close', (code) => done({ code, output })));
}

/** Types, lint and dead code, of the sources and the tests at once. `npm run check` lints the files that are the same. */
async function checkAll({ directory }: Copy): Promise<void> {
  const everything = { extends: './test/tsconfig.json', include: ['src', 'test', 'bench', 'scripts', '*.ts'] };
  const config = 'tsconfig.everything.json';
  writeFileSync(join(directory, config), JSON.stringify(everything));
  const check = async (tool: string, ...args: string[]) => {
    const { code, output } = await run(directory, join(binaries, tool), ...args);
    expect({ tool, code, output: code === 0 ? '' : output }).toEqual({ tool, code: 0, output: '' });
  };
  // The types of dependencies are checked where nothing has been removed.
  await check('tsc', '-p', config, '--skipLibCheck', '--singleThreaded');
  rmSync(join(directory, config));
  const linted = ['check', '--error-on-warnings', '--no-errors-on-unmatched'];
  await check('biome', ...linted, ...filesOfProject().filter((file) => hasChanged(file, directory)));
  await check('knip');
}

async function signInTo({ directory }: Copy): Promise<void> {
  const command = [process.execPath, '--import', import.meta.resolve('tsx'), join(directory, 'src/server.ts')];
  const server = await startServer({ command });
  const visitor = new Visitor(server.url());
  await visitor.signIn('ann@example.com');
  expect((await visitor.get('/admin')).text).toContain('Hello ann@example.com');
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
}

/** What refers to a feature: its folders, settings, routes, the names it measures under, packages, and words of its own. */
function namesOf(feature: string, { directory }: Copy): RegExp[] {
  const folder = join(project, 'src/features', feature);
  const sources = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const code = sources.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
  const all = (pattern: RegExp) => [...code.matchAll(pattern)].map(([, name = '']) => name);
  const { dependencies = [], words = [] } = JSON.parse(readFileSync(join(folder, 'feature.json'), 'utf8'));
  const left = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  const isLeft = (name: string) => name in left.dependencies || name in left.devDependencies;
  const rooms = ['features', 'src/dev', 'views', 'public', 'test', 'deploy', 'bench', 'scripts'];
  const folders = rooms.map((room) => new RegExp(`(?<![\\w-])${room}/${feature}/`));
  const exact = [
    `docs/${feature}.md`,
    ...all(/^\s+([A-Z][A-Z_]+): (?:setting|optional)\(/gm),
    ...all(/\.route\('(\/[^']+)'\)/g),
    ...all(/name: '(\w+_\w+)'/g),
  ].map((text) => new RegExp(`(?<![\\w/\\\\])${text.replace(/[.]/g, '\\.')}(?![\\w-])`));
  const packages = dependencies
    .filter((name: string) => !isLeft(name))
    .map((name: string) => new RegExp(`["'\`/]${name}["'\`/]`));
  return [...folders, ...exact, ...packages, ...words.map((word: string) => new RegExp(word))];
}

function mentions(copy: Copy): string[] {
  const names = copy.removed.flatMap((feature) => namesOf(feature, copy));
  const text =
    /\.(ts|mjs|js|jsonc?|md|ejs|css|ya?ml|conf|cfg|service|sh|example)$|\/run$|\/latchkey$|Dockerfile$|Caddyfile$/;
  return filesOfProject()
    .filter((file) => text.test(file) && !history.test(file) && existsSync(join(copy.directory, file)))
    .flatMap((file) =>
      readFileSync(join(copy.directory, file), 'utf8')
        .split('\n')
        .flatMap((line, index) =>
          names.some((name) => name.test(line)) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
        ),
    );
}

/** Marks for another project: those written out here would be of this one. */
const begin = (names: string) => `feature: ${names}`;
const end = (names: string) => `end: ${names}`;

/** A project of two features that share a package and a file, next to another package that one of them has alone. */
function newProject(): string {
  const directory = newDirectory('features-');
  const files: Record<string, string> = {
    'package.json': JSON.stringify({
      name: 'x',
      dependencies: { shared: '1.0.0', core: '1.0.0' },
      scripts: {
        ...{ a: 'node only-a.ts', b: 'node scripts/one/run.ts', c: 'node dist/features/one' },
        ...{ others: 'node only-a.tsx scripts/one-more/run.ts', another: 'node my-scripts/one/run.ts' },
      },
    }),
    'scripts/one/run.ts': '',
    'src/features/one/feature.json': JSON.stringify({ dependencies: ['shared'], paths: ['shared.ts', 'only-a.ts'] }),
    'src/features/two/feature.json': JSON.stringify({ dependencies: ['shared'], paths: ['shared.ts'] }),
    'src/features/no-json/readme.txt': '',
    'src/features/one/one.ts':
      "import type { A } from '../../shared/a.ts';\nimport type {} from '../../shared/both.ts';\n",
    'src/features/two/two.ts': "import type {} from '../../shared/both.ts';\n",
    'src/shared/a.ts': "import { b } from './b.ts';\n",
    'src/shared/b.ts': '',
    'src/shared/both.ts': '',
    'src/shared/entry.ts': '',
    'test/shared/b.test.ts': "import { b } from '../../src/shared/b.ts';\n",
    'test/shared/b.timed.test.ts': "import { b } from '../../src/shared/b.ts';\n",
    'test/one/one.test.ts': "import { help } from '../support/help.ts';\nimport '../support/any.ts';\n",
    'test/two/two.test.ts': "import '../support/any.ts';\n",
    'test/support/help.ts': "import { more } from './more.ts';\n",
    'test/support/more.ts': '',
    'test/support/any.ts': '',
    'shared.ts': '',
    'only-a.ts': '',
    'biome.json': '{ "formatter": { "indentStyle": "space", "includes": ["**", "!**/*.md"] } }',
    'scripts/docs.ts': '',
    'src/config.ts': '',
    'src/server.ts': '',
    'src/dev/index.ts': "export { x } from './one/x.ts';\nexport { y } from './y.ts';\n",
    'src/app.ts': `import { core } from './core.ts';
import { onlyOfFirst, type Other as other } from './core-parts.ts';
import {
  firstLongName,
  type Second as Renamed,
} from './features/one/one.ts';
import { two } from './features/two/two.ts';
import type { A } from './shared/a.ts';

/** Belongs to the type. */
export type Parts = {
  /** Goes with its member. */
  renamed: Renamed;
  a: A;
  other: string;
};

export function create() {
  // Says something of all features.

  // Says something of the first.
  const { part, whole: all = 1 } = firstLongName(core);
  core.use(
    part,
  );
  core.push(...part.more);
  if (core) {
    core.use(all);
    core.use(two);
  }
  // Has a long list of options.
  const page = firstLongName(core, {
    heading: onlyOfFirst('} of a page {'),
    pattern: /[/}'"]/,
  });
  if (page.routes) {
    core.use(page.routes);
    core.use(two);
  } else {
    core.use(\`no \${page} {\`);
  }
  core
    .route('/two')
    .get(two)
    .all(other);
  core
    .route('/one')
    .get(page.show)
    .all(other);
  const parts = [
    two,
    ...page.parts,
  ];
  core.use({
    page: two,
    all: page,
    /** Says more. */
    list() {
      return parts;
    },
  });
  core.get('/both', (req, res) => {
    page.count(req);
    two.count(req);
  });
  return { core: core.part, text: \`part } \${core.page}\`, two };
}

export function another(page: string) {
  return page;
}
`,
    'README.md': `# Title
<!-- ${begin('one')} -->
of one
<!-- ${end('one')} -->

| x | y |
| --- | --- |
| one | row <!-- ${begin('one')} --> |
| two | row <!-- ${begin('two')} --> |

<!-- ${begin('two, one')} -->
of both
<!-- ${end('two, one')} -->
`,
    'compose.yml': `# ${begin('one')}\na: 1\n# ${end('one')}\nb: 2 # ${begin('one')}\nc: 3\n`,
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  symlinkSync(join(project, 'node_modules'), join(directory, 'node_modules'));
  return directory;
}

test('a feature goes with its lines, blocks and files, and leaves what another needs', async () => {
  const directory = newProject();
  const left = (name: string) => readFileSync(join(directory, name), 'utf8');
  const { code, output } = await run(directory, process.execPath, join(project, 'scripts/without.mjs'), 'one');
  expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('Took out one.') });
  expect(left('src/app.ts')).toBe(
    `import { core } from './core.ts';
import { type Other as other } from './core-parts.ts';
import { two } from './features/two/two.ts';

/** Belongs to the type. */
export type Parts = {
  other: string;
};

export function create() {
  // Says something of all features.

  if (core) {
    core.use(two);
  }
  core.route('/two').get(two).all(other);
  const parts = [two];
  core.use({
    page: two,
    /** Says more. */
    list() {
      return parts;
    },
  });
  core.get('/both', (req, res) => {
    two.count(req);
  });
  return { core: core.part, text: \`part } \${core.page}\`, two };
}

export function another(page: string) {
  return page;
}
`.replaceAll("'", '"'),
  );
  expect(left('src/dev/index.ts')).toBe('export { y } from "./y.ts";\n');
  expect(left('README.md')).toBe(`# Title

| x | y |
| --- | --- |
| two | row <!-- ${begin('two')} --> |

`);
  expect(left('compose.yml')).toBe('c: 3\n');
  expect(existsSync(join(directory, 'shared.ts'))).toBe(true);
  expect(existsSync(join(directory, 'only-a.ts'))).toBe(false);
  const modules = ['src/shared', 'test'].flatMap((room) =>
    readdirSync(join(directory, room), { recursive: true, encoding: 'utf8' }),
  );
  expect(modules.filter((name) => name.endsWith('.ts')).sort()).toEqual([
    'both.ts',
    'entry.ts',
    'support/any.ts',
    'two/two.test.ts',
  ]);
  expect(JSON.parse(left('package.json'))).toEqual({
    name: 'x',
    dependencies: { core: '1.0.0', shared: '1.0.0' },
    scripts: { others: 'node only-a.tsx scripts/one-more/run.ts', another: 'node my-scripts/one/run.ts' },
  });
});

test.each([
  ['a block that has no end', `# ${begin('one')}\na: 1\n`, 'marked.yml:1 begins one, which has no end'],
  [
    'a misspelt end',
    `a: 1\n# ${begin('one')}\nb: 2\n# ${end('onne')}\n`,
    'marked.yml:4 marks onne, which is not in src/features',
  ],
  ['a misspelt name', `a: 1 # ${begin('onne')}\n`, 'marked.yml:1 marks onne, which is not in src/features'],
  [
    'a mark within a line',
    `a: 1 # ${begin('one')}, and more\n`,
    'marked.yml:1 has a mark that is not the end of its line',
  ],
  ['code that is cut off', '', 'src/app.ts:2 '],
])('%s is named with its place, and nothing is changed', async (_, text, message) => {
  const directory = newProject();
  if (text !== '') writeFileSync(join(directory, 'marked.yml'), text);
  else writeFileSync(join(directory, 'src/app.ts'), "import { one } from './features/one/one.ts';\none(");
  const filesOf = () =>
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file, readFileSync(file, 'utf8')]);
  const before = filesOf();
  const { code, output } = await run(directory, process.execPath, join(project, 'scripts/without.mjs'), 'one');
  expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining(message) });
  expect(filesOf()).toEqual(before);
});

test('work in progress stays as it is, formatted or not, complete or not', async () => {
  const directory = newProject();
  const unfinished = { 'src/unfinished.ts': 'export const   x = (', 'src/odd.ts': 'export   const y=1' };
  for (const [name, text] of Object.entries(unfinished)) writeFileSync(join(directory, name), text);
  const { code, output } = await run(directory, process.execPath, join(project, 'scripts/without.mjs'), 'one');
  expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('Took out one.') });
  for (const [name, text] of Object.entries(unfinished)) {
    expect(readFileSync(join(directory, name), 'utf8')).toBe(text);
  }
});

describe.each(features)('without %s', (feature) => {
  test('what is left is whole: it type-checks, has no dead code, and mentions it nowhere', async () => {
    const copy = await projectWithout([feature]);
    for (const other of copy.removed.filter((name) => name !== feature)) {
      expect(copy.printed).toContain(`${other} needs `);
    }
    expect(mentions(copy)).toEqual([]);
    await checkAll(copy);
  }, 300_000);
});

/** A feature, and all that it cannot be without. */
function withNeeds(feature: string): string[] {
  const { needs } = JSON.parse(readFileSync(join(project, 'src/features', feature, 'feature.json'), 'utf8'));
  return [feature, ...needs.flatMap(withNeeds)];
}

// What several features share must stay for each of them, and go with the last.
describe.each(features)('with no feature but %s', (feature) => {
  test('what is left is whole, and mentions none of the others', async () => {
    const needed = withNeeds(feature);
    const copy = await projectWithout(features.filter((name) => !needed.includes(name)));
    expect(copy.removed).toEqual(features.filter((name) => !needed.includes(name)));
    expect(mentions(copy)).toEqual([]);
    await checkAll(copy);
  }, 300_000);
});

/** The core without any feature. Whoever makes it smaller lowers the number; it does not grow. */
const maxCoreLines = 2_961;
const maxFileLines = 250;

describe('without any feature', () => {
  test('the core is whole, small, and passes its own tests', async () => {
    const copy = await projectWithout(features);
    expect(copy.removed).toEqual(features);
    expect(mentions(copy)).toEqual([]);
    const { output: counted } = await run(copy.directory, process.execPath, 'scripts/count.mjs', '--json');
    const { core, longestFile } = JSON.parse(counted);
    expect(core).toBeLessThanOrEqual(maxCoreLines);
    expect(longestFile.lines, longestFile.path).toBeLessThanOrEqual(maxFileLines);
    await checkAll(copy);
    await signInTo(copy);
    const { code, output } = await run(copy.directory, join(binaries, 'vitest'), 'run', '--project', 'quick');
    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
  }, 600_000);
});

test('no file has more than 250 lines', async () => {
  const { output } = await run(project, process.execPath, 'scripts/count.mjs', '--json');
  const { longestFile } = JSON.parse(output);
  expect(longestFile.lines, longestFile.path).toBeLessThanOrEqual(maxFileLines);
});

test('a feature that does not exist is refused, and nothing is removed', async () => {
  const before = filesOfProject();
  const { code, output } = await run(project, process.execPath, 'scripts/without.mjs', 'no-such-feature');
  expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('no such feature: no-such-feature') });
  expect(filesOfProject()).toEqual(before);
});
