// Runs a program that `scripts/bundle.mjs` has bundled, with the code that V8 compiled during the build, so that a start
// does not compile it again. Nothing is written: whoever could change the compiled code could change the program as well.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire, isBuiltin, SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';

const url = new URL('.', import.meta.url);
const directory = fileURLToPath(url);
/** Where the modules take themselves to be: `project-directory.ts` counts on it. */
const moduleUrl = new URL('../bundle.js', url).href;
const requireBuiltin = createRequire(import.meta.url);
/** V8 keeps the name with the compiled code, so it can't be where the file was at the build. */
const prefix = 'bundle/';

/**
 * What was loaded, by the name of its file.
 * @type {Map<string, { script: Script; stamp: Buffer; module: { exports: unknown } }>}
 */
export const loaded = new Map();
/**
 * A source map that has been read takes many megabytes, so it is kept only until the next garbage collection.
 * @type {Map<string, WeakRef<SourceMap>>}
 */
const sourceMaps = new Map();
/**
 * Places that were looked up lately: the same errors come again and again.
 * @type {Map<string, string>}
 */
const origins = new Map();
const maxOrigins = 1000;
/** Node's own, or that of a module which was preloaded. */
const formerFormatter = Error.prepareStackTrace;

/** @param {string} program the name of its file, without the extension */
export function launch(program) {
  Error.prepareStackTrace = describeStack;
  load(`${program}.cjs`);
}

/** @param {string} name */
function load(name) {
  const known = loaded.get(name);
  if (known) return known.module.exports;
  const source = readFileSync(directory + name);
  const stamp = stampOf(source);
  // esbuild writes ASCII, which Node reads fastest like this.
  const text = source.toString('latin1');
  const script = new Script(text, { filename: prefix + name, cachedData: compiledCode(name, stamp) });
  const module = { exports: {} };
  loaded.set(name, { script, stamp, module });
  script.runInThisContext()(module.exports, requireFrom, module, moduleUrl);
  return module.exports;
}

/** @param {string} name */
function requireFrom(name) {
  if (name.startsWith('./')) return load(name.slice(2));
  if (isBuiltin(name)) return requireBuiltin(name);
  // Dependencies also look for optional packages, and go on without them because of this code.
  const message = `${name} is not bundled: import it by a constant name, so that the build can see it`;
  throw Object.assign(new Error(message), { code: 'MODULE_NOT_FOUND' });
}

/**
 * What compiled code begins with: it is used only by the same version of Node on the same platform, with the same flags
 * and CPU features, for the same source. V8 itself compares its own version, the flags and the length of the source;
 * some releases of Node that differ more than that crash with each other's code (nodejs/node#62781).
 * @param {Buffer} source
 */
function stampOf(source) {
  const { version, arch, platform } = process;
  const parts = [version, arch, platform, cachedDataVersionTag(), hash('sha256', source)];
  // V8 would copy code that does not begin at a multiple of 8 bytes.
  return Buffer.from(`${parts.join(' ').padEnd(255)}\n`, 'latin1');
}

/**
 * @param {string} name
 * @param {Buffer} stamp
 */
function compiledCode(name, stamp) {
  try {
    const file = readFileSync(`${directory}${name}.compiled`);
    return file.subarray(0, stamp.length).equals(stamp) ? file.subarray(stamp.length) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Names places in the sources. Node's `--enable-source-maps` would read every map at every start; here, a stack trace reads
 * those that it needs, unless it names only places that were looked up lately.
 * @param {Error} error
 * @param {NodeJS.CallSite[]} sites
 */
function describeStack(error, sites) {
  return [headOf(error), ...sites.map((site) => `    at ${describeSite(site)}`)].join('\n');
}

/**
 * As without this formatter: Node adds the code to the names of its own errors.
 * @param {Error} error
 */
function headOf(error) {
  try {
    return formerFormatter?.(error, []) ?? Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

/** @param {NodeJS.CallSite} site */
function describeSite(site) {
  const described = String(site);
  try {
    const [name, line, column] = [site.getFileName(), site.getLineNumber(), site.getColumnNumber()];
    if (!name?.startsWith(prefix) || line === null || column === null) return described;
    const file = name.slice(prefix.length);
    return described.replace(`${name}:${line}:${column}`, () => originOf(file, line, column));
  } catch {
    return described;
  }
}

/**
 * @param {string} file
 * @param {number} line
 * @param {number} column
 */
function originOf(file, line, column) {
  const place = `${file}:${line}:${column}`;
  const known = origins.get(place);
  if (known) return known;
  const origin = lookUp(file, line, column) ?? directory + place;
  if (origins.size >= maxOrigins) origins.clear();
  origins.set(place, origin);
  return origin;
}

/**
 * @param {string} file
 * @param {number} line
 * @param {number} column
 */
function lookUp(file, line, column) {
  const origin = sourceMapOf(file)?.findEntry(line - 1, column - 1);
  if (!origin || !('originalSource' in origin)) return undefined;
  const { originalSource, originalLine, originalColumn } = origin;
  return `${fileURLToPath(new URL(originalSource, url))}:${originalLine + 1}:${originalColumn + 1}`;
}

/** @param {string} name */
function sourceMapOf(name) {
  const known = sourceMaps.get(name)?.deref();
  if (known) return known;
  const map = readSourceMap(name);
  if (map) sourceMaps.set(name, new WeakRef(map));
  return map;
}

/** @param {string} name */
function readSourceMap(name) {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${directory}${name}.map`, 'utf8')));
  } catch {
    return undefined;
  }
}
