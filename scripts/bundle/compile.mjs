// Usage: node compile.mjs DIRECTORY PROGRAM
// Runs a bundled program until it misses its settings, and keeps what V8 has compiled until then.
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [bundles, program] = process.argv.splice(2, 2);
const { launch, loaded } = await import(pathToFileURL(join(resolve(bundles), 'launch.mjs')).href);

let failed = false;
process.on('uncaughtException', (error) => {
  // Without settings, or what the main thread gives to the other, no program gets far.
  failed = error instanceof SyntaxError;
  if (failed) console.error(error);
});
process.on('exit', () => {
  for (const [name, { script }] of loaded) {
    const file = join(bundles, `${name}.compiled`);
    if (!existsSync(file)) writeFileSync(file, script.createCachedData());
  }
  process.exitCode = failed ? 1 : 0;
});
process.env.NODE_ENV = 'production';
launch(program);
