import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.ts';
import { newPipe } from '../support/pipe.ts';
import { newDirectory } from '../support/process.ts';

const production = {
  NODE_ENV: 'production',
  REDIS_URL: 'redis://redis:6379',
  SESSION_SECRET: 'x'.repeat(32),
  BASE_URL: 'https://login.example.com',
  TRUST_PROXY: '1',
  SIGN_IN: 'trust',
};

const sitesOf = (text: string) => readConfig({ ...production, GATE_SITES: text }).gate.sites;

function problemsOf(env: Record<string, string>): string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function fileWith(text: string): string {
  const path = join(newDirectory('gate-'), 'sites');
  writeFileSync(path, text);
  return path;
}

describe('GATE_SITES', () => {
  test('names sites, with commas or line breaks between them, and who may enter', () => {
    const list = ' https://wiki.example.com,\nhttps://grafana.example.net = ann@example.com  @Ops.Example.com\n\n';
    expect(sitesOf(list)).toEqual([
      { origin: 'https://wiki.example.com', visitors: undefined },
      { origin: 'https://grafana.example.net', visitors: ['ann@example.com', '@ops.example.com'] },
    ]);
    const file = fileWith(`# Everybody\nhttps://wiki.example.com\n  # Two\n${list.split('\n')[1]}`);
    expect(readConfig({ ...production, GATE_SITES_FILE: file }).gate.sites).toEqual(sitesOf(list));
  });

  test.each([
    ['HTTPS://Wiki.Example.COM', 'https://wiki.example.com'],
    ['https://wiki.example.com:443', 'https://wiki.example.com'],
    ['https://wiki.example.com:8443', 'https://wiki.example.com:8443'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['https://wiki.example.com=ann@example.com', 'https://wiki.example.com'],
  ])('brings %s into its canonical form', (text, origin) => {
    expect(sitesOf(text)).toMatchObject([{ origin }]);
  });

  test.each([
    ['wiki.example.com', 'entry 1: this is not an origin'],
    ['ftp://wiki.example.com', 'a site begins with https://'],
    ['javascript:alert(1)', 'a site begins with https://'],
    ['https://wiki.example.com/', 'leave out what follows https://wiki.example.com'],
    ['https://wiki.example.com/wiki', 'leave out what follows https://wiki.example.com'],
    ['https://wiki.example.com?', 'leave out what follows https://wiki.example.com'],
    ['https://ann:secret@wiki.example.com', 'leave out the user and the password in front of wiki.example.com'],
    ['https://*.example.com', '*.example.com is not the full name of a host'],
    [`https://\${WIKI_HOST}`, `\${wiki_host} is not the full name of a host`],
    ['https://wiki.example.com;', 'wiki.example.com; is not the full name of a host'],
    ['https://0.0.0.0:8443', '0.0.0.0 is not the full name of a host'],
    ['https://wiki.example.com.', 'wiki.example.com. is not the full name of a host'],
    ['https://wiki.example.com =', 'name who may enter after the "="'],
    ['https://wiki.example.com = *@example.org', 'such as @example.org without *'],
    ['https://wiki.example.com = ann', 'ann is neither an address nor an @domain'],
    ['https://wiki.example.com = ann@example.com; bob@example.com', 'ann@example.com; is neither'],
    ['https://wiki.example.com ann@example.com', 'this is not an origin'],
    [' , \n', 'it names no site'],
    ['https://wiki.example.com, https://WIKI.example.com:443', 'wiki.example.com more than once'],
    ['https://wiki.example.com, https://wiki.example.com:8443', 'wiki.example.com more than once'],
    ['https://login.example.com', 'https://login.example.com on the host of BASE_URL'],
    ['https://LOGIN.example.com:8443', 'https://login.example.com:8443 on the host of BASE_URL'],
    ['http://wiki.example.com', 'http://wiki.example.com, which must be https in production'],
  ])('refuses %s, with the fix', (text, words) => {
    const problems = problemsOf({ ...production, GATE_SITES: text });
    expect(problems).toEqual([expect.stringContaining(words)]);
    expect(problems[0]).toMatch(/^GATE_SITES (takes|has) /);
    expect(problemsOf({ ...production, GATE_SITES_FILE: fileWith(text) })).toEqual([
      problems[0]?.replace(/^GATE_SITES /, 'GATE_SITES_FILE '),
    ]);
  });

  test.each([
    'https://ann:hunter2hunter2@wiki.example.com/x',
    'smtp://ann:hunter2hunter2@mail.example.com',
    // The path of another file, by mistake.
    'hunter2hunter2hunter2hunter2hunter2',
    'https://hunter2hunter2hunter2hunter2hunter2 = ann',
    'https://wiki.example.com = hunter2hunter2hunter2hunter2hunter2',
  ])('quotes no secret of %s', (text) => {
    for (const given of [{ GATE_SITES: text }, { GATE_SITES_FILE: fileWith(text) }]) {
      expect(problemsOf({ ...production, ...given })).toEqual([expect.not.stringContaining('hunter2hunter2')]);
    }
  });

  test('says everything that is wrong at once', () => {
    const [problem] = problemsOf({ ...production, GATE_SITES: 'wiki, https://a.example/x, https://b.example = bob' });
    expect(problem).toMatch(/entry 1: this is .*; entry 2: leave out .* https:\/\/a\.example, .*; entry 3: bob is /);
  });

  test('repeats nothing that may be secret, where a file was named by mistake', () => {
    const secrets = ['Zm9vYmFyYmF6cXV4', 'c2VjcmV0', 'hunter2.hunter2', 'p4ss/word', 'hunter/2', 'hun ter2', 'hunter2'];
    const [first, second, third, fourth, ...inUrls] = secrets;
    const urls = inUrls.map((password) => `https://ann:${password}@wiki.example.com`);
    const text = [`SMTP_PASSWORD=${first}`, second, third, `redis://:${fourth}@redis:6379`, ...urls].join('\n');
    const [problem = ''] = problemsOf({ ...production, GATE_SITES_FILE: fileWith(text) });
    for (const secret of secrets) expect(problem).not.toContain(secret);
    expect(problem).toContain('entry 2: this is not an origin; entry 3: this is not an origin; ');
    expect(problem).toContain('entry 7: leave out the user and the password in front of wiki.example.com');
  });

  test('names ten mistakes of many', () => {
    const text = Array.from({ length: 12 }, (_, index) => `wiki${index}.example.com`).join('\n');
    const [problem = ''] = problemsOf({ ...production, GATE_SITES_FILE: fileWith(text) });
    expect(problem).toMatch(/entry 10: this is not an origin; and 2 more$/);
  });

  test('takes http sites in development', () => {
    const env = { BASE_URL: 'http://localhost:3000', TRUST_PROXY: '1', GATE_SITES: 'http://wiki.localhost:8080' };
    expect(readConfig(env).gate.sites).toEqual([{ origin: 'http://wiki.localhost:8080', visitors: undefined }]);
  });

  test('needs TRUST_PROXY and BASE_URL', () => {
    const sites = { GATE_SITES: 'http://wiki.localhost:8080' };
    expect(problemsOf({ ...sites, BASE_URL: 'http://localhost:3000' })).toEqual([
      expect.stringMatching(/^TRUST_PROXY is missing; the gate /),
    ]);
    expect(problemsOf({ ...sites, TRUST_PROXY: '1' })).toEqual([
      expect.stringMatching(/^BASE_URL is missing; the gate /),
    ]);
    const { TRUST_PROXY: _, ...untrusting } = production;
    expect(problemsOf({ ...untrusting, GATE_SITES: 'https://wiki.example.com' })).toHaveLength(1);
  });

  test('comes from one place, and from a file that can be read', () => {
    const GATE_SITES = 'https://wiki.example.com';
    expect(problemsOf({ ...production, GATE_SITES, GATE_SITES_FILE: fileWith(GATE_SITES) })).toEqual([
      expect.stringContaining('both set'),
    ]);
    expect(problemsOf({ ...production, GATE_SITES_FILE: '/nowhere/sites' })).toEqual([
      "GATE_SITES_FILE names a file that can't be read (ENOENT): /nowhere/sites",
    ]);
    const pipe = newPipe();
    expect(problemsOf({ ...production, GATE_SITES_FILE: pipe })).toEqual([
      `GATE_SITES_FILE names a file that can't be read (a pipe; name a regular file): ${pipe}`,
    ]);
  });
});
