import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { copyProject } from '../support/process.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));

test('what is generated from the settings and the results of the bench is up to date, or says that npm run docs makes it so', () => {
  const args = ['--import', import.meta.resolve('tsx'), 'scripts/docs.ts', '--check'];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('a fork may reword a sentence with a figure, or delete the bench and its page, and still generate the rest', () => {
  const cwd = copyProject();
  const docs = (...args: string[]) => {
    const command = ['--import', import.meta.resolve('tsx'), 'scripts/docs.ts', ...args];
    const { status, stderr } = spawnSync(process.execPath, command, { cwd, encoding: 'utf8' });
    return { status, stderr };
  };
  const running = join(cwd, 'docs/running.md');
  writeFileSync(running, readFileSync(running, 'utf8').replace('So a GiB holds', 'A GiB holds'));
  const settings = join(cwd, 'docs/settings.md');
  const text = readFileSync(settings, 'utf8');
  writeFileSync(settings, 'stale');
  const stderr =
    'docs/running.md does not say "So a GiB holds * million sessions"; restore that, or take it out of scripts/figures.ts\n';
  expect(docs()).toEqual({ status: 0, stderr });
  expect(readFileSync(settings, 'utf8')).toBe(text);
  expect(docs('--check')).toEqual({ status: 1, stderr });
  for (const path of ['bench', 'docs/speed.md']) rmSync(join(cwd, path), { recursive: true });
  expect(docs('--check')).toEqual({ status: 0, stderr: '' });
});
