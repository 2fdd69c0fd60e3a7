import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { maxOpenFiles, maxStreamsWithin } from '../../src/features/live-tabs/open-files.ts';
import { builtFile, startServer } from '../support/process.ts';

test.each([
  ['enough for both', 65_536, 10_000],
  ['too few for both, which share them', 4096, 2048],
  ['too few for all streams', 24_000, 13_744, 20_000],
  ['unknown', Number.POSITIVE_INFINITY, 10_000],
])('streams leave pages their open files: %s', (_case, openFiles, expected, wanted = 10_000) => {
  expect(maxStreamsWithin(openFiles, wanted, 10_000)).toBe(expected);
});

test('a server with too few open files says so at the start, where the system tells', async () => {
  const isTold = existsSync('/proc/self/limits');
  expect(Number.isFinite(maxOpenFiles())).toBe(isTold);
  const script = 'ulimit -n 1000 && exec "$0" "$1"';
  const server = await startServer({ command: ['sh', '-c', script, process.execPath, builtFile('server.js')] });
  const lines = server.logged('too few open files are allowed for LIVE_TABS_MAX');
  expect(lines).toMatchObject(isTold ? [{ openFiles: 1000, maxStreams: 500 }] : []);
});
