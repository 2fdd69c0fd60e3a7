import { expect, test } from 'vitest';
import { failureOf, forkWorker } from '../../src/features/workers/worker.ts';
import { afterwards } from '../support/afterwards.ts';

test('a worker whose process cannot be started says so, although it never ends', async () => {
  const { execPath } = process;
  afterwards(() => {
    process.execPath = execPath;
  });
  process.execPath = '/nowhere/node';
  const worker = forkWorker({});
  expect(await failureOf(worker, new Promise(() => {}))).toBe("a worker's process could not be started (ENOENT)");
});
