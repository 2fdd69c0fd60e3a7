import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { read } from './support/documents.ts';
import { copyProject, type RunningServer, startServer } from './support/process.ts';
import { Visitor } from './support/visitor.ts';

const secret = 'a secret that only the portal knows, of 32 characters';
let cwd: string;

/** Writes the files of docs/forking.md into a copy of the project, and changes those that it changes. */
function fork(): string {
  const copy = copyProject();
  for (const [, language, file = '', content = ''] of read('docs/forking.md').matchAll(
    /^```(\w+) (\S+)\n(.*?)^```$/gms,
  )) {
    const path = join(copy, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, language === 'diff' ? changed(readFileSync(path, 'utf8'), content, file) : content);
  }
  return copy;
}

/** Text in which the lines that begin with a blank or a minus have become those with a blank or a plus. */
function changed(text: string, diff: string, file: string): string {
  const lines = diff.trimEnd().split('\n');
  const sideOf = (marks: string) =>
    lines
      .filter(([mark = '']) => marks.includes(mark))
      .map((line) => `${line.slice(1)}\n`)
      .join('');
  const before = sideOf(' -');
  if (text.split(before).length !== 2) throw new Error(`${file} does not have these lines exactly once:\n${before}`);
  return text.replace(before, () => sideOf(' +'));
}

/** Runs a program of the project in the fork, as its developer does. @returns what it prints if it fails */
function run(command: string, ...args: string[]): string {
  const { LATCHKEY_TEST_RUN: _, VITEST: _ours, NODE_ENV: _test, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(join(cwd, 'node_modules/.bin', command), args, {
    cwd,
    env,
    encoding: 'utf8',
  });
  return status === 0 ? '' : stdout + stderr;
}

beforeAll(() => {
  cwd = fork();
  // Only puts the imports in order, as `npm run format` does.
  const order = run('biome', 'check', '--write', '--linter-enabled=false', '--formatter-enabled=false', '.');
  const built = run('tsc', '-p', 'tsconfig.build.json', '--skipLibCheck', '--singleThreaded');
  if (order + built !== '') throw new Error(order + built);
});

function start(env: Record<string, string>): Promise<RunningServer> {
  return startServer({ cwd, command: [process.execPath, 'dist/server.js'], env });
}

describe('the fork that docs/forking.md describes', () => {
  test('has a page with a form behind login, and a choice in the session', async () => {
    const server = await start({ SIGN_IN: 'trust', SITE_NAME: 'Notebook' });
    const ann = new Visitor(server.url(), { Accept: 'text/html' });
    expect((await ann.get('/notes')).status).toBe(401);
    await ann.signIn('ann@example.com');

    const refused = await ann.post('/notes', { form: { note: 'x'.repeat(201) } });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('id="note-problem"');
    expect(refused.text).toContain('x'.repeat(201));
    expect(await ann.post('/notes', { form: { note: '<b>tea</b>' } })).toMatchObject({
      status: 303,
      location: '/notes',
    });
    const page = await ann.get('/notes');
    expect(page.text).toContain('Your note was added.');
    expect(page.text).toContain('<li>&lt;b&gt;tea&lt;/b&gt;</li>');
    expect(page.text).toContain('Notebook</title>');
    expect((await ann.get('/notes')).text).not.toContain('Your note was added.');

    const send = async (file: string, as: Visitor, headers: Record<string, string> = {}) => {
      const body = new FormData();
      body.set('picture', new Blob([file]), 'picture.png');
      const sent = { ...headers, Cookie: as.cookieHeader };
      const { status } = await fetch(`${server.url()}/picture`, {
        method: 'POST',
        body,
        headers: sent,
        redirect: 'manual',
      });
      return status;
    };
    expect(await send('x'.repeat(500_000), ann)).toBe(303);
    expect([await send('', ann), await send('x'.repeat(1_100_000), ann)]).toEqual([422, 413]);
    expect(await send('x', new Visitor(server.url()))).toBe(401);
    expect(await send('x', ann, { Origin: 'https://other.example' })).toBe(403);
    expect((await ann.post('/picture', { form: { picture: 'x' } })).status).toBe(422);

    expect((await ann.post('/theme', { form: { theme: 'dark' } })).status).toBe(303);
    // feature: access-guards
    expect((await ann.get('/staff')).text).toContain('For staff only');
    const bob = new Visitor(server.url(), { Accept: 'text/html' });
    await bob.signIn('bob@example.com');
    expect((await bob.get('/staff')).status).toBe(403);
    // end: access-guards
  });

  test('passes the checks of types, style and dead code, and lists the methods of its paths', () => {
    expect(run('tsc', '-p', 'test', '--skipLibCheck', '--singleThreaded')).toBe('');
    expect(run('biome', 'check', '--error-on-warnings', '.')).toBe('');
    expect(run('knip')).toBe('');
    expect(run('vitest', 'run', '--project', 'quick', 'test/middleware/methods.test.ts', 'test/notes')).toBe('');
  }, 300_000);

  test('signs in through the portal, where the visitor wanted to go, and believes nobody else', async () => {
    const server = await start({ SIGN_IN: 'portal', PORTAL_SECRET: secret });
    const newVisitor = () => new Visitor(server.url(), { Accept: 'text/html' });
    const begin = async (visitor: Visitor) => {
      const form = { email: 'ann@example.com', next: '/notes', remember: 'on' };
      const { location } = await visitor.post('/login', { form });
      const { origin, searchParams } = new URL(location ?? '');
      expect(origin).toBe('https://portal.example.com');
      return searchParams.get('state') ?? '';
    };
    const statement = (email: string, state: string, key = secret) => {
      const signature = createHmac('sha256', key).update(`${email}\n${state}`).digest('base64url');
      return `/login/portal?${new URLSearchParams({ email, signature })}`;
    };
    const ann = newVisitor();
    const state = await begin(ann);
    const bob = newVisitor();
    await begin(bob);
    const genuine = statement('ann@example.com', state);
    expect((await ann.get(statement('ann@example.com', state, 'x'.repeat(32)))).status).toBe(403);
    expect((await ann.get(genuine.replace('ann', 'bob'))).status).toBe(403);
    for (const other of [bob, newVisitor()]) expect((await other.get(genuine)).status).toBe(403);
    for (const other of [newVisitor(), bob]) {
      expect((await other.get(statement('ann@example.com', 'undefined'))).status).toBe(403);
    }
    expect((await ann.get('/admin')).status).toBe(401);

    expect(await ann.get(genuine)).toMatchObject({ status: 303, location: '/notes' });
    expect((await ann.get('/admin')).text).toContain('Hello ann@example.com');
    await ann.post('/logout');
    expect((await ann.get(genuine)).status).toBe(403);
    expect(server.printed()).not.toContain('mail is not sent');
  });

  test('lets the login form lead to the portal', async () => {
    const server = await start({ SIGN_IN: 'portal', PORTAL_SECRET: secret });
    const { headers } = await new Visitor(server.url()).get('/login');
    expect(headers.get('content-security-policy')).toContain("form-action 'self' https://portal.example.com;");
  });

  // feature: email-code
  test('does not start before it knows which of two ways to sign in is meant', async () => {
    const env = { SIGN_IN: '', PORTAL_SECRET: secret, SMTP_URL: 'smtp://127.0.0.1:1' };
    await expect(start(env)).rejects.toThrow(/SIGN_IN is missing; say which, since \w+ and \w+ have their settings/);
    await start({ ...env, SIGN_IN: 'portal' });
  });
  // end: email-code
});
