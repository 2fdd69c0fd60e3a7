// npm run test:node-versions [-- 20,22,24 [test/http/date-format.test.ts ...]] runs the suite, or what Vitest is told by the
// rest, on each version of Node.
import { spawnSync } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { findNode } from './nodes.ts';

const [versions = '20,22,24', ...vitestArgs] = process.argv.slice(2);
const failed: string[] = [];

for (const wanted of versions.split(',')) {
  const { path, version } = findNode(wanted);
  console.log(`\n> the suite on Node ${version}`);
  // What the tests start by name, npm among it, must be of this version as well.
  const PATH = dirname(path) + delimiter + (process.env.PATH ?? '');
  const { status } = spawnSync(path, ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', ...vitestArgs], {
    stdio: 'inherit',
    env: { ...process.env, PATH },
  });
  if (status !== 0) failed.push(version);
}

console.log(failed.length === 0 ? '\nall passed' : `\nfailed on Node ${failed.join(', ')}`);
process.exitCode = failed.length;
