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

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  return status === 0 ? '' : stdout + stderr;
}

beforeAll(() => {
  cwd = fork();
  const options = ['-p', 'tsconfig.build.json', '--skipLibCheck', '--singleThreaded'];
  const output = run(join(cwd, 'node_modules/.bin/tsc'), ...options);
  if (output !== '') throw new Error(output);
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

    expect((await ann.post('/theme', { form: { theme: 'dark' } })).status).toBe(303);
    // feature: access-guards
    expect((await ann.get('/staff')).text).toContain('For staff only');
    const bob = new Visitor(server.url(), { Accept: 'text/html' });
    await bob.signIn('bob@example.com');
    expect((await bob.get('/staff')).status).toBe(403);
    // end: access-guards
  });

  test('signs in through the portal, and believes nobody else', async () => {
    const server = await start({ SIGN_IN: 'portal', PORTAL_SECRET: secret });
    const statement = (email: string, key = secret) => {
      const expires = String(Date.now() + 60_000);
      return {
        email,
        expires,
        signature: createHmac('sha256', key).update(`${email}\n${expires}`).digest('base64url'),
      };
    };
    const visitor = new Visitor(server.url(), { Accept: 'text/html', Origin: 'https://portal.example.com' });
    const form = statement('ann@example.com');
    expect((await visitor.post('/login/portal', { form: statement('ann@example.com', 'x'.repeat(32)) })).status).toBe(
      403,
    );
    expect((await visitor.post('/login/portal', { form: { ...form, email: 'bob@example.com' } })).status).toBe(403);
    expect(await visitor.post('/login/portal', { form })).toMatchObject({ status: 303, location: '/admin' });
    expect((await visitor.get('/admin')).text).toContain('Hello ann@example.com');
    const typed = new Visitor(server.url(), { Accept: 'text/html' });
    expect((await typed.post('/login', { form: { email: 'ann@example.com' } })).location).toMatch(/^https:\/\/portal/);
    expect((await typed.get('/admin')).status).toBe(401);
  });
});
