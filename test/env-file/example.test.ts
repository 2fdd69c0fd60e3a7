import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { readConfig, settings } from '../../src/config.ts';

test('.env.example, without its comment signs, is what counts without it', () => {
  const lines =
    readFileSync(new URL('../../.env.example', import.meta.url), 'utf8').match(/(?<=^# )[A-Z_]+=.*$/gm) ?? [];
  const given = parseEnv(lines.join('\n'));
  expect(Object.keys(given).sort()).toEqual(Object.keys(settings).sort());
  expect(readConfig(given)).toEqual(readConfig({}));
});
