import type express from 'express';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { requireFreshLogin, requireRole } from '../../src/features/access-guards/access-guards.ts';
import type { EmailAddress } from '../../src/session/email-address.ts';
import { currentEmail } from '../../src/session/sign-in.ts';
import { startApp } from '../support/app.ts';
import { clients, signedIn } from '../support/client.ts';
import { showErrorData } from '../support/error-data.ts';
import { startFork } from '../support/fork.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const app = await startApp({ redisAddress: await testRedis() });

const forkUrl = await startFork(app.redis, (fork) => {
  showErrorData(fork, ['status', 'loginForm', 'email', 'remember']);
  fork.use((req, res, next) => {
    res.locals.email = req.session.email;
    next();
  });
  const answer: express.RequestHandler = (req, res) => void res.send(currentEmail(req));
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

  // Express 4 does not wait for promises: one that rejects ends the process.
  test('hands each refusal on as an error, and returns no promise that rejects', async () => {
    const signedOut = { sessionStore: app.store, session: {} };
    const eve = { sessionStore: app.store, session: { email: 'eve@example.com' } };
    async function answerTo(req: object, guard: express.RequestHandler): Promise<unknown> {
      const answers: unknown[] = [];
      await guard(req as express.Request, {} as express.Response, (error) => answers.push(error));
      expect(answers).toHaveLength(1);
      return answers[0];
    }
    expect(await answerTo(signedOut, requireRole([]))).toMatchObject({ status: 401 });
    expect(await answerTo(eve, requireRole([]))).toMatchObject({ status: 403 });
    for (const reason of [undefined, 'route']) {
      const error = await answerTo(
        eve,
        requireRole(() => Promise.reject(reason)),
      );
      expect(error).toEqual(new Error('the predicate of requireRole failed', { cause: reason }));
    }
  });

  test('refuses entries that would never match', () => {
    expect(() => requireRole(['ann@example.com', 'staff'])).toThrow('"staff" is neither an address nor an @domain');
  });
});

describe('requireFreshLogin', () => {
  test('lets visitors through for as long as it says after their login, and asks them to log in again later', async () => {
    const now = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now });
    onTestFinished(() => void vi.useRealTimers());
    const visitor = (await signedIn(app.url)).copy(forkUrl);
    vi.setSystemTime(now + 299_000);
    expect((await visitor.get('/fresh')).status).toBe(200);
    vi.setSystemTime(now + 301_000);
    const { status, text } = await visitor.get('/fresh?page=2');
    expect(status).toBe(401);
    expect(JSON.parse(text)).toMatchObject({
      loginForm: { next: '/fresh?page=2', typed: 'ann@example.com' },
      email: 'ann@example.com',
    });
  });

  test('takes no login for fresh that lies in the future, since a clock has been set back', async () => {
    const now = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now });
    onTestFinished(() => void vi.useRealTimers());
    const visitor = (await signedIn(app.url)).copy(forkUrl);
    vi.setSystemTime(now - 299_000);
    expect((await visitor.get('/fresh')).status).toBe(200);
    vi.setSystemTime(now - 301_000);
    expect((await visitor.get('/fresh')).status).toBe(401);
  });

  test.each([['on', true] as const, ['', false] as const])(
    'keeps the choice to stay signed in: that of %o is %o',
    async (remember, isChosen) => {
      const visitor = new Visitor(app.url);
      await visitor.signIn('ann@example.com', { remember });
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 301_000 });
      const { text } = await visitor.copy(forkUrl).get('/fresh');
      vi.useRealTimers();
      expect(JSON.parse(text)).toMatchObject({ status: 401, remember: isChosen });
    },
  );

  test('takes only a positive number of seconds', () => {
    for (const withinSeconds of [0, -1, Number.NaN]) {
      expect(() => requireFreshLogin({ withinSeconds })).toThrow(RangeError);
    }
  });
});
