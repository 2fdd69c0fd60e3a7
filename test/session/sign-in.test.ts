import express, { type ErrorRequestHandler, type Express } from 'express';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { closeHttpServer, createHttpServer } from '../../src/http/http-server.ts';
import { requireLogin } from '../../src/middleware/require-login.ts';
import { type EmailAddress, parseAddress } from '../../src/session/email-address.ts';
import { decode } from '../../src/session/record.ts';
import { handleOf, sessionKey, tagOf } from '../../src/session/session-id.ts';
import { currentEmail, saveSession, signIn, signOut } from '../../src/session/sign-in.ts';
import { address } from '../support/address.ts';
import { startApp } from '../support/app.ts';
import { commandsFor, historyWrites } from '../support/commands.ts';
import { allKeys, startFork } from '../support/fork.ts';
import { listenLocally } from '../support/servers.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });
const otherInstance = await startApp({ redisAddress });
const { redis } = app;

async function signedIn(): Promise<Visitor> {
  const visitor = new Visitor(app.url);
  await visitor.signIn('ann@example.com');
  return visitor;
}

describe('signing in', () => {
  test('gives a new session id, and the old one is dead on every instance (ASVS 7.2.4)', async () => {
    const visitor = await signedIn();
    const old = visitor.copy(otherInstance.url);
    await visitor.signIn('ann@example.com');
    expect(visitor.sessionId).not.toBe(old.sessionId);
    expect((await old.get('/admin')).status).toBe(401);
  });

  test('as somebody else ends the previous session', async () => {
    const visitor = await signedIn();
    const before = sessionKey(visitor.sessionId);
    expect(await allKeys(redis)).toContain(before);
    await visitor.signIn('bob@example.com');
    expect((await visitor.get('/admin')).text).toContain('Hello bob@example.com');
    expect(await allKeys(redis)).not.toContain(before);
  });

  test('is stored before the response leaves: another instance knows it at once (express-session#360)', async () => {
    for (let round = 0; round < 50; round += 1) {
      const visitor = await signedIn();
      expect((await visitor.copy(otherInstance.url).get('/admin')).status).toBe(200);
      await visitor.post('/logout');
    }
  });

  test('does not accept a session id that a stranger chose (fixation)', async () => {
    const fixed = 'a'.repeat(38);
    const visitor = new Visitor(app.url);
    visitor.cookies.set('session', fixed);
    await visitor.signIn('ann@example.com');
    expect(visitor.sessionId).not.toBe(fixed);
  });

  test('stores once (express-session#935)', async () => {
    const calls = await commandsFor(redis, signedIn, [historyWrites]);
    expect(calls).toMatchObject({ set: '1', zadd: '1' });
    // There was no session to end before it; asking for one would lead all sign-ins to one Cluster node.
    expect([calls.del, calls.zrem]).toEqual([undefined, undefined]);
  });

  test('again logs that the previous session has ended', async () => {
    const visitor = await signedIn();
    const session = handleOf(visitor.sessionId);
    await visitor.signIn('ann@example.com');
    const line = app.logged().find((entry) => entry.msg === 'session ended' && entry.session === session);
    expect(line).toMatchObject({ by: 'new sign-in', id: expect.any(String) });
  });
});

describe('signIn()', () => {
  const email = address('ann@example.com');
  const values: unknown[] = [
    email,
    undefined,
    null,
    '',
    'ann',
    ' ann@example.com',
    'Ann@Example.com',
    parseAddress(email),
  ];

  /** A fork that signs somebody in as one of the values, which no compiler has checked. */
  const startUnchecked = (options: Parameters<typeof startFork>[2] = {}) =>
    startFork(
      redis,
      (fork) => {
        fork.post('/login/:value', async (req, res) => {
          await signIn(req, values[Number(req.params.value)] as EmailAddress);
          res.redirect(303, '/');
        });
        fork.get('/', requireLogin, (req, res) => void res.json([currentEmail(req), req.session.remember]));
      },
      options,
    );

  test('takes nothing but a canonical address', async () => {
    const url = await startUnchecked();
    await redis.flushAll();
    for (const value of values.keys()) {
      if (value === 0) continue;
      const { status, setCookies } = await new Visitor(url).post(`/login/${value}`);
      expect([status, setCookies]).toEqual([500, []]);
    }
    expect(await allKeys(redis)).toEqual([]);
  });

  test('signs in until the browser is closed where nothing is said about that', async () => {
    const visitor = new Visitor(await startUnchecked());
    const { status, setCookies } = await visitor.post('/login/0');
    expect([status, setCookies]).toEqual([303, [expect.not.stringContaining('Expires')]]);
    expect(JSON.parse((await visitor.get('/')).text)).toEqual([email, false]);
  });

  test('refuses an address that may not have a session, and logs that', async () => {
    const lines: object[] = [];
    const log = { info: (about: object, msg: string) => void lines.push({ ...about, msg }), warn() {} };
    const visitor = new Visitor(await startUnchecked({ isAllowed: () => false, log }));
    await redis.flushAll();
    const { status, setCookies, text } = await visitor.post('/login/0', { headers: { Accept: 'text/plain' } });
    expect([status, setCookies, text]).toEqual([403, [], 'This address may not log in here.\n']);
    expect(await allKeys(redis)).toEqual([]);
    expect(lines).toEqual([
      expect.objectContaining({ msg: 'sign-in refused', reason: 'not in ALLOWED_EMAILS', person: tagOf(email) }),
    ]);
  });

  test('takes only true for an answer, so that a promise does not let everybody in', async () => {
    const yes = await startUnchecked();
    for (const answer of [Promise.resolve(true), 'yes', 1]) {
      const url = await startUnchecked({ isAllowed: (() => answer) as unknown as () => boolean });
      expect((await new Visitor(url).post('/login/0')).status).toBe(403);
      const visitor = new Visitor(yes);
      await visitor.post('/login/0');
      expect((await visitor.copy(url).get('/')).status).toBe(401);
    }
  });
});

test('without sessions() before it, nothing that needs a session passes for a visitor who is not signed in', async () => {
  const app = express();
  app.get('/guarded', requireLogin, (_req, res) => void res.send('shown'));
  app.get('/sign-in', async (req) => signIn(req, address('ann@example.com')));
  app.get('/sign-out', async (req, res) => signOut(req, res));
  app.get('/save', async (req) => saveSession(req));
  const answer: ErrorRequestHandler = (error, _req, res, _next) => void res.status(500).send(error.message);
  const server = createHttpServer(app.use(answer));
  onTestFinished(async () => void (await closeHttpServer(server)));
  const visitor = new Visitor(await listenLocally(server));
  for (const path of ['/guarded', '/sign-in', '/sign-out', '/save']) {
    expect((await visitor.get(path)).text).toContain('sessions() must come before');
  }
});

test('only signIn() sets the identity: a page that writes req.session.email fails, and nothing is stored', async () => {
  const forkUrl = await startFork(redis, (fork) => {
    fork.post('/become', (req, res, next) => {
      Object.assign(req.session, { email: address('root@example.com') });
      req.session.save((error) => (error ? next(error) : res.send('became root')));
    });
  });
  await redis.flushAll();
  const stranger = new Visitor(forkUrl);
  expect((await stranger.post('/become')).status).toBe(500);
  const visitor = (await signedIn()).copy(forkUrl);
  expect((await visitor.post('/become')).status).toBe(500);
  expect((await visitor.copy(app.url).get('/admin')).text).toContain('Hello ann@example.com');
});

describe('what decides when a session ends, only signIn() sets', () => {
  const later = Date.UTC(2055, 1);
  const changes: object[] = [
    { signedInAt: later },
    { lastSeenAt: later },
    { remember: true },
    { signedInAt: later, lastSeenAt: later, remember: true, note: 'beside it' },
    { signedInAt: undefined },
    { email: undefined },
  ];

  const startChanging = () =>
    startFork(redis, (fork) => {
      fork.post('/change/:number', (req, res) => {
        Object.assign(req.session, changes[Number(req.params.number)]);
        res.send('changed');
      });
      fork.post('/same', (req, res) => {
        Object.assign(req.session, { ...req.session, note: 'beside it' });
        res.send('changed');
      });
    });

  test.each(changes.map((change, number) => [change, number]))(
    '%o in a page fails, and changes nothing',
    async (_, number) => {
      const visitor = await signedIn();
      const record = await redis.get(sessionKey(visitor.sessionId));
      expect((await visitor.copy(await startChanging()).post(`/change/${number}`)).status).toBe(500);
      expect(await redis.get(sessionKey(visitor.sessionId))).toBe(record);
    },
  );

  test('the same values are no change', async () => {
    const visitor = await signedIn();
    const record = await redis.get(sessionKey(visitor.sessionId));
    expect((await visitor.copy(await startChanging()).post('/same')).status).toBe(200);
    expect(await redis.get(sessionKey(visitor.sessionId))).toBe(`${record}\n{"note":"beside it"}`);
  });

  test('an anonymous session begins now, whatever its page has set', async () => {
    const visitor = new Visitor(await startChanging());
    const before = Date.now();
    const { status, setCookies } = await visitor.post('/change/3');
    expect([status, setCookies]).toEqual([200, [expect.not.stringContaining('Expires')]]);
    const key = sessionKey(visitor.sessionId);
    const session = decode((await redis.get(key)) ?? '');
    expect(session).toMatchObject({ remember: false, note: 'beside it' });
    for (const at of [session?.signedInAt, session?.lastSeenAt]) {
      expect(at).toBeGreaterThan(before - 1000);
      expect(at).toBeLessThanOrEqual(Date.now());
    }
    expect(await redis.pTTL(key)).toBeLessThanOrEqual(30 * 60_000);
  });
});

test('a page that stores something for an anonymous visitor gives them a session without an address', async () => {
  const forkUrl = await startFork(redis, (fork) => {
    fork.post('/note', (req, res) => {
      Object.assign(req.session, { note: 'kept' });
      res.send('noted');
    });
    fork.post('/saved-note', (req, res, next) => {
      Object.assign(req.session, { note: 'saved' });
      req.session.save((error) => (error ? next(error) : res.send('saved')));
    });
    fork.get('/note', (req, res) => {
      res.send(String(Reflect.get(req.session, 'note')));
    });
  });
  const stranger = new Visitor(forkUrl);
  await stranger.post('/note');
  expect((await stranger.get('/note')).text).toBe('kept');
  const another = new Visitor(forkUrl);
  expect((await another.post('/saved-note')).text).toBe('saved');
  expect((await another.get('/note')).text).toBe('saved');
  expect((await stranger.copy(app.url).get('/admin')).status).toBe(401);
});

test('what a page changes in a session, even deep inside, is stored before its response leaves, and nothing else is', async () => {
  const addPages = (fork: Express) => {
    fork.post('/cart', (req, res) => {
      const cart: string[] = Reflect.get(req.session, 'cart') ?? [];
      cart.push(`item ${cart.length + 1}`);
      Object.assign(req.session, { cart });
      res.send('added');
    });
    fork.get('/cart', (req, res) => {
      res.send(JSON.stringify(Reflect.get(req.session, 'cart')));
    });
  };
  const [one, other] = [await startFork(redis, addPages), await startFork(redis, addPages)];
  const visitor = await signedIn();
  await visitor.copy(one).post('/cart');
  await visitor.copy(other).post('/cart');
  expect((await visitor.copy(one).get('/cart')).text).toBe('["item 1","item 2"]');
  expect((await visitor.get('/admin')).text).toContain('Hello ann@example.com');

  const stored = sessionKey(visitor.sessionId);
  expect(await commandsFor(redis, () => visitor.copy(one).get('/cart'))).toEqual({ get: '1' });
  expect(await redis.get(stored)).toMatch(/ann@example\.com\n.*\n\{"cart":\["item 1","item 2"\]\}$/);
});

describe('when Redis refuses (ASVS 16.5.3)', () => {
  afterEach(async () => {
    await redis.configSet('maxmemory', '0');
    await redis.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
  });

  test('to store a new session, because it is full: 503, no cookie, nobody signed in', async () => {
    await redis.configSet('maxmemory', '1');
    const visit = await new Visitor(app.url).post('/login', { form: { email: 'ann@example.com' } });
    expect([visit.status, visit.setCookies]).toEqual([503, []]);
    expect(visit.headers.get('Retry-After')).toBe('5');
    const xhr = await new Visitor(app.url).post('/login', {
      form: { email: 'ann@example.com' },
      headers: { 'X-Requested-With': 'XMLHttpRequest' },
    });
    expect([xhr.status, xhr.text.includes('done')]).toEqual([503, false]);
  });

  test('to store anything, sessions can still be ended: a logout frees memory', async () => {
    const visitor = await signedIn();
    await redis.configSet('maxmemory', '1');
    expect((await visitor.copy().post('/logout')).status).toBe(303);
    expect((await visitor.get('/admin')).status).toBe(401);
  });

  test('to end the previous session: the sign-in fails rather than leaving two', async () => {
    const visitor = await signedIn();
    const keys = await allKeys(redis);
    await redis.sendCommand(['ACL', 'SETUSER', 'default', '-del']);
    const visit = await visitor.post('/login', { form: { email: 'ann@example.com' } });
    expect([visit.status, visit.setCookies]).toEqual([503, []]);
    expect(await allKeys(redis)).toEqual(keys);
  });

  test('to log out, because it became a read-only replica: 503, and the visitor is told the truth', async () => {
    // Its own, since an app that has seen a replica opens its connections once more, at any moment after that.
    const demoted = await startApp();
    const visitor = new Visitor(demoted.url);
    await visitor.signIn('ann@example.com');
    await demoted.redis.sendCommand(['REPLICAOF', '127.0.0.1', '1']);
    const visit = await visitor.post('/logout');
    expect([visit.status, visit.setCookies, visit.location]).toEqual([503, [], null]);
    expect((await visitor.get('/admin')).status).toBe(200);
  });

  test('to touch a session: its visitor keeps the time that is left', async () => {
    const demoted = await startApp();
    const visitor = new Visitor(demoted.url);
    await visitor.signIn('ann@example.com');
    const key = sessionKey(visitor.sessionId);
    await demoted.redis.setRange(key, 0, (Math.floor(Date.now() / 1000) - 600).toString(16));
    await demoted.redis.sendCommand(['REPLICAOF', '127.0.0.1', '1']);
    expect((await visitor.get('/admin')).status).toBe(200);
    const cause = expect.objectContaining({ message: expect.stringMatching(/^READONLY/) });
    expect(demoted.logged()).toContainEqual(
      expect.objectContaining({ level: 50, err: expect.objectContaining({ cause }) }),
    );
  });
});
