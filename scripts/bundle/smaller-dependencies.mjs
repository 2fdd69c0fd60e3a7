import { readFile } from 'node:fs/promises';

/**
 * What dependencies do at every start although few processes need it, and how the bundles put it off or make it cheaper.
 * A program must not be able to tell the difference. A build fails when a new version of a dependency no longer has the
 * lines.
 * @type {{ file: RegExp; change: (text: string) => string }[]}
 */
const changes = [
  {
    // Adding 1,500 methods to a prototype one by one takes V8 60 ms and 15 MB, unless the prototype is in dictionary mode.
    file: /[\\/]@redis[\\/]client[\\/]dist[\\/]lib[\\/]commander\.js$/,
    change: (text) =>
      replace(
        text,
        'Class = class extends BaseClass {\n    };\n',
        (line) =>
          `${line}    Class.prototype.a = Class.prototype.b = 0;\n    delete Class.prototype.a;\n    delete Class.prototype.b;\n`,
      ),
  },
  {
    // Filled with the first request.
    file: /[\\/]node_modules[\\/]mime-types[\\/]index\.js$/,
    change: (text) => {
      const filled = replace(text, 'populateMaps(exports.extensions, exports.types)', () => lazyMaps);
      const unloaded = replace(filled, "var db = require('mime-db')\n", () => '');
      const looked = replace(unloaded, 'db[', () => "require('mime-db')[", 6);
      return replace(looked, '(db)', () => "(require('mime-db'))");
    },
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
    const changed = changes.map(() => 0);
    for (const [at, { file, change }] of changes.entries()) {
      build.onLoad({ filter: file }, async ({ path }) => {
        changed[at] += 1;
        return { contents: change(await readFile(path, 'utf8')), loader: 'js' };
      });
    }
    build.onEnd(() => {
      const errors = changes
        .filter((_, at) => changed[at] !== 1)
        .map(({ file }) => ({ text: `a dependency has changed: ${file} should be the path of one file` }));
      return { errors };
    });
  },
};

/**
 * @param {string} text
 * @param {string} part
 * @param {(found: string) => string} by
 * @param {number} times how often the part must be there
 */
function replace(text, part, by, times = 1) {
  const found = text.split(part).length - 1;
  if (found !== times) throw new Error(`a dependency has changed: ${part} is there ${found} times instead of ${times}`);
  return text.replaceAll(part, by);
}
