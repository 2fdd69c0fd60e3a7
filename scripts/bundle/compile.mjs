// Usage: node compile.mjs DIRECTORY PROGRAM
// Runs a bundled program up to where it ends for lack of settings, and keeps what V8 has compiled until then.
import { existsSync, writeFileSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [bundles, program] = process.argv.splice(2, 2);
const { launch, loaded } = await import(pathToFileURL(join(bundles, 'launch.mjs')).href);

process.on('exit', () => {
  for (const [name, { script, stamp }] of loaded) {
    const file = join(bundles, `${name}.compiled`);
    if (!existsSync(file)) writeFileSync(file, Buffer.concat([stamp, script.createCachedData()]));
  }
});
// It should not get as far as this. If it does, the build fails, and neither asks a Redis nor serves anybody.
Socket.prototype.connect = Server.prototype.listen = () => {
  throw new Error('the build must not use the network');
};
launch(program);
