import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const sources = fileURLToPath(new URL('../../src', import.meta.url));

/**
 * What dependencies do at every start although few processes need it, and what the bundles do instead. A build fails
 * when a new version of a dependency no longer has the lines.
 * @type {{ file: RegExp; change: (text: string, path: string) => string | Promise<string> }[]}
 */
const changes = [
  {
    // Adding 1,500 methods to a prototype one by one takes V8 60 ms and 15 MB, unless the prototype is in dictionary mode.
    file: /@redis\/client\/dist\/lib\/commander\.js$/,
    change: (text) =>
      replace(
        text,
        'Class = class extends BaseClass {\n    };\n',
        (line) =>
          `${line}    Class.prototype.a = Class.prototype.b = 0;\n    delete Class.prototype.a;\n    delete Class.prototype.b;\n`,
      ),
  },
  { file: /@redis\/client\/dist\/lib\/commands\/index\.js$/, change: withUsedCommands },
  {
    // Filled with the first request.
    file: /node_modules\/mime-types\/index\.js$/,
    change: (text) => {
      const filled = replace(text, 'populateMaps(exports.extensions, exports.types)', () => lazyMaps);
      return replace(filled, "var db = require('mime-db')\n", () => '').replace(
        /\bdb\b(?=[[)])/g,
        "require('mime-db')",
      );
    },
  },
  {
    // Half a megabyte of East Asian encodings, in which no form or JSON may be sent.
    file: /node_modules\/iconv-lite\/encodings\/index\.js$/,
    change: (text) => replace(text, /,\s*require\("\.\/dbcs-codec"\),\s*require\("\.\/dbcs-data"\)/, () => ''),
  },
];

const lazyMaps = `
const maps = { extensions: Object.create(null), types: Object.create(null) }
let areFilled = false
for (const name of Object.keys(maps)) {
  Object.defineProperty(exports, name, {
    enumerable: true,
    get () {
      if (!areFilled) {
        areFilled = true
        populateMaps(maps.extensions, maps.types)
      }
      return maps[name]
    }
  })
}
`;

/** esbuild plugin */
export const smallerDependencies = {
  name: 'smaller dependencies',
  /** @param {import('esbuild').PluginBuild} build */
  setup(build) {
    // `redis` adds the commands of modules that Latchkey does not use.
    build.onResolve({ filter: /^redis$/ }, async ({ kind, resolveDir, pluginData }) => {
      if (pluginData === 'redis') return undefined;
      const { path } = await build.resolve('redis', { kind, resolveDir, pluginData: 'redis' });
      return build.resolve('@redis/client', { kind, resolveDir: dirname(path) });
    });
    for (const { file, change } of changes) {
      build.onLoad({ filter: file }, async ({ path }) => {
        return { contents: await change(await readFile(path, 'utf8'), path), loader: 'js' };
      });
    }
  },
};

/**
 * @param {string} text @param {string | RegExp} part @param {(found: string) => string} by
 */
function replace(text, part, by) {
  const changed = text.replace(part, by);
  if (changed === text) throw new Error(`a dependency has changed: ${part} is not there`);
  return changed;
}

/**
 * The table of commands, with those alone that the sources or the client itself name.
 * @param {string} text
 * @param {string} path
 */
async function withUsedCommands(text, path) {
  const client = join(dirname(path), '..');
  const folders = [sources, ...['client', 'cluster', 'sentinel'].map((name) => join(client, name))];
  const words = new Set();
  for (const folder of folders) {
    for (const name of await readdir(folder, { recursive: true })) {
      if (!/(?<!\.d)\.[jt]s$/.test(name)) continue;
      for (const word of (await readFile(join(folder, name), 'utf8')).match(/\b\w+\b/g) ?? []) words.add(word);
    }
  }
  let kept = 0;
  const table = text.replace(/^ {4}(\w+): (\w+)_1\.default,\n/gm, (line, name) => {
    if (!words.has(name)) return '';
    kept += 1;
    return line;
  });
  if (kept === 0 || table === text) throw new Error(`a dependency has changed: ${path}`);
  return table.replace(/^const (\w+) = __importDefault\(require\("\.\/\w+"\)\);\n/gm, (line, name) =>
    table.split(name).length > 2 ? line : '',
  );
}
