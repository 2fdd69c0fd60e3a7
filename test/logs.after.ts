import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { minLength } from './support/secrets.ts';

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
  const find = finderOf(secrets);
  const [one = '', another = ''] = secrets;
  expect(find(`at first ${one}, and at the end ${another}`)).toEqual(expect.arrayContaining([one, another]));
  expect(logs.flatMap(({ name, text }) => find(text).map((secret) => `${secret} in ${name}`))).toEqual([]);
}, 120_000);

/** Finds which of many texts a text holds, in one pass: each place is compared with those that begin as it does. */
function finderOf(texts: Set<string>): (text: string) => string[] {
  const byStart = new Map<string, string[]>();
  for (const each of texts) {
    const start = each.slice(0, minLength);
    byStart.set(start, [...(byStart.get(start) ?? []), each]);
  }
  return (text) => {
    const found = new Set<string>();
    for (let at = 0; at + minLength <= text.length; at += 1) {
      for (const each of byStart.get(text.slice(at, at + minLength)) ?? []) {
        if (text.startsWith(each, at)) found.add(each);
      }
    }
    return [...found];
  };
}
