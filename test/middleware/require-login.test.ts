import type express from 'express';
import { describe, expect, test, vi } from 'vitest';
import { requireFreshLogin, requireLogin, requireRole } from '../../src/middleware/require-login.ts';
import type { EmailAddress } from '../../src/session/email-address.ts';
import { currentEmail } from '../../src/session/sign-in.ts';
import { startApp, testRedis } from '../support/app.ts';
import { clients, signedIn } from '../support/client.ts';
import { startFork } from '../support/fork.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });

const forkUrl = await startFork(app.redis, (fork) => {
  // The error page's data, as the view gets it.
  fork.engine('ejs', (_path, data, done) => {
    const [status, loginForm, email] = ['status', 'loginForm', 'email'].map((name) => Reflect.get(data, name));
    done(null, JSON.stringify({ status, loginForm, email }));
  });
  fork.set('view engine', 'ejs').set('views', new URL('../../views', import.meta.url).pathname);
  fork.use((req, res, next) => {
    res.locals.email = req.session.email;
    next();
  });
  const answer: express.RequestHandler = (req, res) => void res.send(currentEmail(req));
  fork.get('/unguarded', answer);
  fork.use('/guarded', requireLogin, answer);
  fork.get('/staff', requireRole(['ann@example.com', '@staff.example.com']), answer);
  fork.get('/nobody', requireRole([]), answer);
  fork.get(
    '/predicate',
    requireRole((email) => email.startsWith('ann@')),
    answer,
  );
  fork.get(
    '/later',
    requireRole(async (email) => email.startsWith('ann@')),
    answer,
  );
  fork.get(
    '/broken',
    requireRole(() => Promise.reject(new Error('the directory is away'))),
    answer,
  );
  fork.get('/truthy', requireRole((() => 'no') as unknown as (email: EmailAddress) => boolean), answer);
  fork.use('/fresh', requireFreshLogin({ withinSeconds: 300 }), answer);
});

async function statusFor(email: string, path: string): Promise<number> {
  return (await (await signedIn(app.url, email)).copy(forkUrl).get(path, { headers: clients.text })).status;
}

describe('currentEmail', () => {
  test('is a 401 on a page that forgot its guard', async () => {
    const { status, text } = await new Visitor(forkUrl).get('/unguarded', { headers: clients.text });
    expect([status, text]).toEqual([401, 'Please login first.\n']);
    expect(await statusFor('ann@example.com', '/unguarded')).toBe(200);
  });
});

describe('requireRole', () => {
  test('lets members through, by their address or their domain', async () => {
    for (const email of ['ann@example.com', 'Bob@Staff.Example.com'])
      expect(await statusFor(email, '/staff')).toBe(200);
  });

  test('refuses other visitors with 403, and those who are signed out with 401', async () => {
    expect(await statusFor('eve@example.com', '/staff')).toBe(403);
    expect(await statusFor('ann@staff.example.com.evil.example', '/staff')).toBe(403);
    expect((await new Visitor(forkUrl).get('/staff')).status).toBe(401);
  });

  test('lets nobody through for an empty list', async () => {
    expect(await statusFor('ann@example.com', '/nobody')).toBe(403);
  });

  test('asks a predicate, which may take its time, and lets nobody through unless it says true', async () => {
    for (const path of ['/predicate', '/later']) {
      expect([await statusFor('ann@example.com', path), await statusFor('eve@example.com', path)]).toEqual([200, 403]);
    }
    expect(await statusFor('ann@example.com', '/truthy')).toBe(403);
    expect(await statusFor('ann@example.com', '/broken')).toBe(500);
  });

  test('refuses entries that would never match', () => {
    expect(() => requireRole(['ann@example.com', 'staff'])).toThrow('"staff" is neither an address nor an @domain');
  });
});

describe('requireFreshLogin', () => {
  test('lets visitors through for as long as it says after their login, and asks them to log in again later', async () => {
    const visitor = (await signedIn(app.url)).copy(forkUrl);
    const now = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: now + 299_000 });
    expect((await visitor.get('/fresh')).status).toBe(200);
    vi.setSystemTime(now + 301_000);
    const { status, text } = await visitor.get('/fresh?page=2');
    vi.useRealTimers();
    expect(status).toBe(401);
    expect(JSON.parse(text)).toMatchObject({
      loginForm: { next: '/fresh?page=2', typed: 'ann@example.com' },
      email: 'ann@example.com',
    });
  });

  test('takes only a positive number of seconds', () => {
    for (const withinSeconds of [0, -1, Number.NaN]) {
      expect(() => requireFreshLogin({ withinSeconds })).toThrow(RangeError);
    }
  });
});

test('a browser that refuses cookies is told so when it has just logged in, and one that has some is not', async () => {
  const { url } = await startApp();
  const words = 'This site needs cookies';
  const { location } = await new Visitor(url).signIn('ann@example.com');
  const refusing = await new Visitor(url, { Accept: 'text/html' }).get(location ?? '');
  expect([refusing.status, refusing.text.includes(words)]).toEqual([401, true]);
  const other = await new Visitor(url, { Accept: 'text/html', Cookie: 'theme=dark' }).get(location ?? '');
  expect([other.status, other.text.includes(words)]).toEqual([401, false]);
});

test('"End" in a session that has ended leads back to the list, which no POST of a form is', async () => {
  const { url } = await startApp();
  const visitor = new Visitor(url, { Accept: 'text/html' });
  await visitor.signIn('ann@example.com');
  const late = visitor.copy();
  await visitor.post('/logout');
  const { status, text } = await late.post('/admin/end-session', { form: { session: 'x' } });
  expect(status).toBe(401);
  const next = /name="next" value="([^"]*)"/.exec(text)?.[1] ?? '/admin';
  const { location } = await late.post('/login', { form: { email: 'ann@example.com', next } });
  expect((await late.get(location ?? '')).status).toBe(200);
});
