// What `npm start` needs first. In development: a Redis and a build. In production nothing is installed or
// built behind the operator's back.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { loadEnvFile } from './env-file/load.mjs';

await loadEnvFile();

if (process.env.NODE_ENV !== 'production') {
  run(process.execPath, ['scripts/setup.mjs', 'redis']);
  run('npm', ['run', '--silent', 'build']);
} else if (!existsSync('dist/server.js')) {
  console.error('latchkey: there is no build. Run `npm ci --include=dev && npm run build` first.');
  process.exit(1);
}

/** @param {string} command @param {string[]} args */
function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
