import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';

const directory = inject('runDirectory');

// ASVS 16.2.5
test('no log of the whole run holds a cookie, a session id, a password or a body', () => {
  const logs = readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .map((name) => ({ name, text: readFileSync(join(directory, name), 'utf8') }));
  const secrets = new Set<string>(
    readFileSync(join(directory, 'secrets'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
  expect(logs.some(({ text }) => text.includes('"signed in"'))).toBe(true);
  expect(secrets.size).toBeGreaterThan(10);
  const found = logs.flatMap(({ name, text }) =>
    [...secrets].filter((secret) => text.includes(secret)).map((secret) => `${secret} in ${name}`),
  );
  expect(found).toEqual([]);
}, 120_000);
