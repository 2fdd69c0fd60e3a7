// Bundles each program of `dist/` with its dependencies, and compiles the bundles: a process that reads a few files
// instead of 1,500, and compiles none of them, starts faster and takes less memory. The other
// modules stay as they are, for whoever imports the package.
// The figures are in docs/idle-memory.md. // feature: idle-memory
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decode, encode } from '@jridgewell/sourcemap-codec';
import { build, transform } from 'esbuild';
import { smallerDependencies } from './bundle/smaller-dependencies.mjs';

/** Each program, and what it prints where it ends for lack of settings, which is as far as the build runs it. */
const programs = [
  {
    source: 'src/server.ts',
    status: 1,
    prints: /^Latchkey can't start: (\n {2}- .+)*\n {2}- PORT takes .+(\n {2}- .+)*\n$/,
  },
  // feature: incidents
  { source: 'src/cli/latchkey.ts', status: 0, prints: /^Usage:\n {2}latchkey / },
  // end: incidents
  // feature: mail
  {
    source: 'src/features/mail/smtp-worker.ts',
    status: 1,
    prints: /^Error: smtp-worker runs in a thread of the server$/m,
  },
  // end: mail
];

/** Without this, esbuild makes `\p{…}` literals `new RegExp()` calls, each of which creates an object from text. */
const supported = { 'regexp-unicode-property-escapes': true };

const [directory = 'dist'] = process.argv.slice(2);
const bundles = resolve(directory, 'bundle');
const own = fileURLToPath(new URL('bundle', import.meta.url));

rmSync(bundles, { recursive: true, force: true });
mkdirSync(bundles, { recursive: true });
const { outputFiles } = await build({
  absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
  entryPoints: programs.map(({ source }) => source),
  outdir: bundles,
  outExtension: { '.js': '.cjs' },
  entryNames: '[name]',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  supported,
  minifyWhitespace: true,
  sourcemap: 'inline',
  sourcesContent: false,
  plugins: [smallerDependencies],
  define: { 'import.meta.url': 'moduleUrl' },
  logLevel: 'warning',
  write: false,
});
// Only modules in CommonJS can be given compiled code, before Node 22.
for (const { path, text } of outputFiles) {
  const { code, map } = await transform(text.replace(/^#!.*/, ''), {
    sourcefile: path,
    platform: 'node',
    format: 'cjs',
    target: 'node20.19',
    supported: { ...supported, 'dynamic-import': false },
    minifyWhitespace: true,
    // Node prints the line in which an uncaught error was thrown.
    lineLimit: 200,
    sourcemap: 'external',
    sourcesContent: false,
    logOverride: { 'empty-import-meta': 'silent' },
  });
  const file = join(bundles, basename(path));
  writeFileSync(file, `(function(exports,require,module,moduleUrl){\n${code}})`);
  writeFileSync(`${file}.map`, JSON.stringify(smallerMap(JSON.parse(map))));
}
copyFileSync(join(own, 'launch.mjs'), join(bundles, 'launch.mjs'));
for (const { source } of programs) {
  const name = basename(source, '.ts');
  const file = join(directory, relative('src', dirname(source)), `${name}.js`);
  const launcher = relative(dirname(file), join(bundles, 'launch.mjs'));
  const path = launcher.startsWith('.') ? launcher : `./${launcher}`;
  const interpreter = readFileSync(file, 'utf8').match(/^#!.*\n/)?.[0] ?? '';
  writeFileSync(file, `${interpreter}import { launch } from '${path}';\n\nlaunch('${name}');\n`);
  rmSync(`${file}.map`, { force: true });
}
for (const program of programs) compile(program);

/**
 * The directory is empty, as a program may take settings from files of its working directory; and no server starts
 * with this port.
 * @param {(typeof programs)[number]} program
 */
function compile({ source, status, prints }) {
  const name = basename(source, '.ts');
  const cwd = mkdtempSync(join(tmpdir(), 'latchkey-build-'));
  const env = { NODE_ENV: 'production', PORT: 'none' };
  const ran = spawnSync(process.execPath, [join(own, 'compile.mjs'), bundles, name], {
    ...{ cwd, env, encoding: 'utf8', timeout: 60_000, killSignal: 'SIGKILL' },
  });
  rmSync(cwd, { recursive: true });
  const printed = ran.stdout + ran.stderr;
  if (ran.status === status && prints.test(printed)) return;
  throw new Error(`${name} did not end as expected, with status ${ran.status ?? ran.signal}:\n${printed}`);
}

/**
 * A source map that names places in our own sources exactly, and those in dependencies by their line: with their
 * columns it would be ten times as large.
 * @param {{ version: 3; sources: string[]; mappings: string }} map
 */
function smallerMap({ version, sources, mappings }) {
  let [lastSource, lastLine] = [-1, -1];
  const lines = decode(mappings).map((segments) =>
    segments.filter(([, source = -1, line = -1]) => {
      const isKnown = source === lastSource && line === lastLine && sources[source]?.includes('node_modules/');
      [lastSource, lastLine] = [source, line];
      return !isKnown;
    }),
  );
  return { version, sources, names: [], mappings: encode([[], ...lines]) };
}
