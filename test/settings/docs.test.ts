import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { readConfig, settings } from '../../src/config.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));

test('what is generated from the settings is up to date, or says that npm run docs makes it so', () => {
  const args = ['--import', import.meta.resolve('tsx'), 'scripts/docs.ts', '--check'];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('.env.example, without its comment signs, is what counts without it', () => {
  const lines = readFileSync(`${project}/.env.example`, 'utf8').match(/(?<=^# )[A-Z_]+=.*$/gm) ?? [];
  const given = parseEnv(lines.join('\n'));
  expect(Object.keys(given).sort()).toEqual(Object.keys(settings).sort());
  expect(readConfig(given)).toEqual(readConfig({}));
});
