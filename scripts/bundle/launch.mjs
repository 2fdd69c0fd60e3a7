// Runs a program that `scripts/bundle.mjs` has bundled. It comes with the code that V8 has compiled at the build, so that
// a start does not compile it again. V8 refuses what another version or other flags have compiled, and compiles anew.
// Nothing is written: whoever could change the compiled code could change the program as well.
import { readFileSync } from 'node:fs';
import { createRequire, isBuiltin, SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const url = new URL('.', import.meta.url);
const directory = fileURLToPath(url);
/** Where the modules take themselves to be: `project-directory.ts` counts on it. */
const moduleUrl = new URL('../bundle.js', url).href;
const requireBuiltin = createRequire(import.meta.url);
/** V8 keeps the name with the compiled code, so it can't be where the file was at the build. */
const prefix = 'bundle/';

/** Modules of Node that most processes load for nothing. */
const lateBuiltins = new Set(['zlib', 'node:zlib']);

/**
 * What was loaded, by the name of its file.
 * @type {Map<string, { script: Script; module: { exports: unknown } }>}
 */
export const loaded = new Map();
/** @type {Map<string, SourceMap | undefined>} */
const sourceMaps = new Map();

/** @param {string} program the name of its file, without the extension */
export function launch(program) {
  Error.prepareStackTrace = describeStack;
  load(`${program}.cjs`);
}

/** @param {string} name */
function load(name) {
  const known = loaded.get(name);
  if (known) return known.module.exports;
  // esbuild writes ASCII, which Node reads fastest like this.
  const source = readFileSync(directory + name, 'latin1');
  const script = new Script(source, { filename: prefix + name, cachedData: compiledCode(name) });
  const module = { exports: {} };
  loaded.set(name, { script, module });
  script.runInThisContext()(module.exports, requireFrom, module, moduleUrl);
  return module.exports;
}

/** @param {string} name */
function requireFrom(name) {
  if (name.startsWith('./')) return load(name.slice(2));
  if (lateBuiltins.has(name)) return loadedLater(name);
  if (isBuiltin(name)) return requireBuiltin(name);
  // Only what is optional is not bundled, and nothing of it is wanted.
  throw Object.assign(new Error(`${name} is not bundled`), { code: 'MODULE_NOT_FOUND' });
}

/**
 * A module of Node that is loaded when something of it is needed.
 * @param {string} name
 */
function loadedLater(name) {
  const module = () => requireBuiltin(name);
  return new Proxy(
    {},
    { get: (_, key) => module()[key], has: (_, key) => key in module(), ownKeys: () => Reflect.ownKeys(module()) },
  );
}

/** @param {string} name */
function compiledCode(name) {
  try {
    return readFileSync(`${directory}${name}.compiled`);
  } catch {
    return undefined;
  }
}

/**
 * Names places in the sources. Node's `--enable-source-maps` would read every map at every start; here, the first stack
 * trace reads those that it needs.
 * @param {Error} error
 * @param {NodeJS.CallSite[]} sites
 */
function describeStack(error, sites) {
  return [headOf(error), ...sites.map((site) => `    at ${describeSite(site)}`)].join('\n');
}

/** @param {Error} error */
function headOf(error) {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

/** @param {NodeJS.CallSite} site */
function describeSite(site) {
  const [name, line, column] = [site.getFileName(), site.getLineNumber(), site.getColumnNumber()];
  if (!name?.startsWith(prefix) || line === null || column === null) return String(site);
  const origin = sourceMapOf(name.slice(prefix.length))?.findOrigin(line, column);
  const isKnown = origin && 'fileName' in origin;
  const place = isKnown
    ? `${fileURLToPath(new URL(origin.fileName, url))}:${origin.lineNumber}:${origin.columnNumber}`
    : `${directory}${name.slice(prefix.length)}:${line}:${column}`;
  return String(site).replace(`${name}:${line}:${column}`, () => place);
}

/** @param {string} name */
function sourceMapOf(name) {
  if (!sourceMaps.has(name)) sourceMaps.set(name, readSourceMap(name));
  return sourceMaps.get(name);
}

/** @param {string} name */
function readSourceMap(name) {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${directory}${name}.map`, 'utf8')));
  } catch {
    return undefined;
  }
}
