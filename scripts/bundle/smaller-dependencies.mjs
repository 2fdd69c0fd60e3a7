import { readFile } from 'node:fs/promises';

/** What of the dependencies costs each start something, and what it is replaced by. */
export const smallerDependencies = {
  name: 'smaller dependencies',
  /** @param {import('esbuild').PluginBuild} build */
  setup(build) {
    build.onResolve({ filter: /^redis$/ }, ({ kind, resolveDir }) =>
      build.resolve('@redis/client', { kind, resolveDir }),
    );
    build.onLoad({ filter: /@redis\/client\/dist\/lib\/commander\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const before = 'Class = class extends BaseClass {\n    };\n';
      if (!text.includes(before)) throw new Error(`${path} is not what is known here`);
      const contents = text.replace(
        before,
        `${before}    Class.prototype.a = Class.prototype.b = undefined;\n    delete Class.prototype.a;\n    delete Class.prototype.b;\n`,
      );
      return { contents, loader: 'js' };
    });
  },
};
