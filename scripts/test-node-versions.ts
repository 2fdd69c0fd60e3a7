// npm run test:node-versions [-- 20,22,24] runs the whole suite on each version of Node.
import { spawnSync } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { findNode } from './nodes.ts';

const failed: string[] = [];

for (const wanted of (process.argv[2] ?? '20,22,24').split(',')) {
  const { path, version } = findNode(wanted);
  console.log(`\n> the suite on Node ${version}`);
  // What the tests start by name, npm among it, must be of this version as well.
  const PATH = dirname(path) + delimiter + (process.env.PATH ?? '');
  const { status } = spawnSync(path, ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot'], {
    stdio: 'inherit',
    env: { ...process.env, PATH },
  });
  if (status !== 0) failed.push(version);
}

console.log(failed.length === 0 ? '\nall passed' : `\nfailed on Node ${failed.join(', ')}`);
process.exitCode = failed.length;
