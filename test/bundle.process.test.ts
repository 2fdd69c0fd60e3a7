import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { expect, test } from 'vitest';
import { builtFile } from './support/process.ts';

const server = builtFile('server.js');
const bundles = join(dirname(server), 'bundle');

test('what a production start loads comes with compiled code that this Node accepts', () => {
  const compiled = readdirSync(bundles).filter((name) => name.endsWith('.compiled'));
  expect(compiled).toContain('server.cjs.compiled');
  for (const name of compiled) {
    const source = readFileSync(join(bundles, name.replace('.compiled', '')), 'latin1');
    const { cachedDataRejected } = new Script(source, { cachedData: readFileSync(join(bundles, name)) });
    expect({ name, cachedDataRejected }).toEqual({ name, cachedDataRejected: false });
  }
});

test('a stack trace names the source file and line', () => {
  const preload = 'data:text/javascript,process.exit = () => console.error(new Error("here").stack)';
  const args = ['--import', preload, server];
  const { stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env: { NODE_ENV: 'production' } });
  const [, file = '', line] = /at start \((.*\/src\/server\.ts):(\d+):\d+\)/.exec(stderr) ?? [];
  expect(file, stderr).not.toBe('');
  const source = readFileSync(fileURLToPath(new URL('../src/server.ts', import.meta.url)), 'utf8');
  expect(source.split('\n')[Number(line) - 1]).toContain('process.exit(1)');
});
