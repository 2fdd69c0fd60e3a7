import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const project = fileURLToPath(new URL('../..', import.meta.url));

test('what is generated from the settings and the results of the bench is up to date, or says that npm run docs makes it so', () => {
  const args = ['--import', import.meta.resolve('tsx'), 'scripts/docs.ts', '--check'];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
