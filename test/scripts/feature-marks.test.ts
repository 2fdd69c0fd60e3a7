import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('each mark of a feature names one that is there, and each block has its end', () => {
  const script = fileURLToPath(new URL('../../scripts/without.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
