import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { newDirectory, startProcess } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { Visitor } from '../support/visitor.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const documentation = readFileSync(join(project, 'docs/session-store.md'), 'utf8');
const [, example = ''] = /```js\n([\s\S]*?)```/.exec(documentation) ?? [];

/** An app of its own, in a directory with nothing but the packed Latchkey and what the documentation says it needs. */
const app = newDirectory('plain-express-');
let packed: string[] = [];

beforeAll(() => {
  // A copy, since packing builds into dist/, which other tests run from.
  const copy = newDirectory('pack-');
  for (const name of [
    'src',
    'scripts',
    'views',
    'public',
    'docs',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'README.md',
  ]) {
    cpSync(join(project, name), join(copy, name), { recursive: true });
  }
  writeFileSync(join(copy, '.env'), 'SESSION_SECRET=not for others');
  symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'));
  const answer = execFileSync('npm', ['pack', '--json'], { cwd: copy, encoding: 'utf8', stdio: 'pipe' });
  const [{ filename, files }] = JSON.parse(answer.slice(answer.indexOf('[')));
  packed = files.map(({ path }: { path: string }) => path);

  const installed = join(app, 'node_modules/latchkey');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', join(copy, filename), '--strip-components=1', '-C', installed]);
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), '@types/express', '@types/express-session', '@types/node']) {
    const target = join(app, 'node_modules', name);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(join(project, 'node_modules', name), target);
  }
  writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
}, 120_000);

describe('the package', () => {
  test('holds what it exports, and nothing of the tests, the sources or the settings', () => {
    expect(packed).toEqual(
      expect.arrayContaining([
        'dist/features/session-store/index.js',
        'dist/features/session-store/index.d.ts',
        'views/admin.ejs',
      ]),
    );
    const rooms = new Set(packed.map((path) => path.split('/')[0]));
    expect([...rooms].sort()).toEqual(['README.md', 'dist', 'docs', 'package.json', 'public', 'views']);
    // Of src/ and test/, what documents say is in the repository.
    const linked = [
      ...readFileSync(join(project, 'README.md'), 'utf8').matchAll(/(?:\]\(|src="|srcset=")(docs\/[^)"#]+)/g),
    ];
    expect(packed).toEqual(expect.arrayContaining(['docs/session-store.md', ...linked.map(([, path = '']) => path)]));
  });

  test('exports the sessions, and nothing of the inside', () => {
    const load = (name: string) =>
      spawnSync(process.execPath, ['--input-type=module', '-e', `import '${name}'`], { cwd: app, encoding: 'utf8' });
    expect(load('latchkey/session').status).toBe(0);
    for (const name of ['latchkey', 'latchkey/dist/session/store.js']) {
      expect(load(name).stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
    }
  });

  test('has types, which a client of the redis package fits and an unchecked address does not', () => {
    writeFileSync(
      join(app, 'typed.ts'),
      `import type { Request } from 'express';
import { currentEmail, parseAddress, requireRole, SessionStore, sessions, signIn } from 'latchkey/session';
import { createClient } from 'redis';
declare module 'express-session' { interface SessionData { theme?: string } }
const limits = { idleSeconds: 1, absoluteSeconds: 1, rememberIdleSeconds: 1, rememberAbsoluteSeconds: 1 };
export const store = new SessionStore({ redis: createClient(), limits, https: true, log: console });
export const handlers = [sessions({ store, secrets: ['x'.repeat(32)] }), requireRole(['@example.com'])];
export async function enter(req: Request): Promise<string> {
  const address = parseAddress('ann@example.com');
  if ('problem' in address) return address.problem;
  await signIn(req, address.email, { remember: false, keep: ['theme'] });
  return currentEmail(req);
}
`,
    );
    // An address as it was typed, and fields that sign-in sets itself.
    const refused = [
      "signIn(req, 'ann@example.com', { remember: false })",
      "signIn(req, email, { remember: false, keep: ['email'] })",
      "store.index.endAll('ann@example.com')",
      'req.session.signedInAt = 0',
      'req.session.lastSeenAt = 0',
      'req.session.remember = true',
      'req.session.email = email',
    ];
    writeFileSync(
      join(app, 'refused.ts'),
      `import type { Request } from 'express';
import { type EmailAddress, type SessionStore, signIn } from 'latchkey/session';
export const attempts = (req: Request, email: EmailAddress, store: SessionStore) => [
${refused.map((call) => `${call},\n`).join('')}];
`,
    );
    const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    const tsc = join(project, 'node_modules/.bin/tsc');
    const { stdout } = spawnSync(tsc, [...options, 'typed.ts', 'refused.ts'], { cwd: app, encoding: 'utf8' });
    const errors = [...stdout.matchAll(/^(\S+)\((\d+),\d+\): error/gm)].map(([, file, line]) => `${file}:${line}`);
    expect(errors, stdout).toEqual(refused.map((_, position) => `refused.ts:${position + 4}`));
  });
});

test('the documented example, twenty lines at most, runs in an empty directory with the packed Latchkey', async () => {
  expect(example.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(20);
  writeFileSync(join(app, 'example.js'), example);
  const redis = await startRedisServer('a-password');
  const env = { REDIS_URL: redis.url, SESSION_SECRET: 'a secret for the tests, of 32 characters and more', PORT: '0' };
  const server = startProcess({ cwd: app, command: [process.execPath, 'example.js'], env });
  const url = await vi.waitFor(() => {
    const [found] = /http:\S+/.exec(server.printed()) ?? [];
    if (found === undefined) throw new Error(server.printed());
    return found;
  }, 10_000);

  const visitor = new Visitor(url);
  expect((await visitor.get('/')).status).toBe(401);
  expect((await visitor.post('/login', { form: { email: 'ann' } })).status).toBe(422);
  await visitor.signIn('Ann@Example.com');
  await new Visitor(url).signIn('ann@example.com');
  expect(JSON.parse((await visitor.get('/')).text)).toHaveLength(2);
  const old = visitor.copy();
  expect((await visitor.post('/logout')).status).toBe(303);
  expect((await old.get('/')).status).toBe(401);

  await redis.client((client) => client.sendCommand(['CONFIG', 'SET', 'maxmemory', '1']));
  const refused = await new Visitor(url).post('/login', { form: { email: 'ann@example.com' } });
  expect([refused.status, refused.setCookies]).toEqual([503, []]);
});
