import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { createGzip, type Gzip } from 'node:zlib';
import express, { type ErrorRequestHandler, type RequestHandler, type Response } from 'express';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  RedisUnavailable,
  requireLogin,
  type SessionRedis,
  type SessionSecrets,
  SessionStore,
  type SessionStoreOptions,
  type SessionsOptions,
  saveSession,
  sessions,
  setFlash,
  signIn,
  takeFlash,
} from '../../src/features/session-store/index.ts';
import { closeHttpServer } from '../../src/http/http-server.ts';
import { newSessionId, sessionKey, tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectNode, testSecret } from '../support/app.ts';
import { connect } from '../support/process.ts';
import { listenLocally } from '../support/servers.ts';
import { plainData } from '../support/store-contract.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';
import { limits, startPlainApp } from './plain-app.ts';

const redis = await connectNode(await testRedis());
const email = address('ann@example.com');
const store = new SessionStore({ redis, limits, https: false });

/** What the constructor or the middleware says of options that no compiler has checked. */
function complaint(call: (options: never) => unknown, options: unknown): string {
  try {
    call(options as never);
  } catch (error) {
    if (error instanceof TypeError) return error.message;
    throw error;
  }
  return '';
}
const complaintOfStore = (options: unknown) =>
  complaint((given: SessionStoreOptions) => new SessionStore(given), options);
const complaintOfSessions = (options: unknown) => complaint((given: SessionsOptions) => sessions(given), options);

test('an address has 50 sessions where nothing else is said, even by `undefined`', async () => {
  const unsaid = { sessionsPerAddress: undefined, deadlineMs: undefined, isAllowed: undefined, log: undefined };
  const given = { redis, limits, https: false, noteOutage: undefined, ...unsaid };
  const store = new SessionStore(given as unknown as SessionStoreOptions);
  for (let count = 1; count <= 52; count += 1) {
    const times = { signedInAt: Date.now(), lastSeenAt: Date.now() };
    await store.set(newSessionId(tagOf(email)), { ...plainData(), email, ...times, remember: false });
  }
  const [{ handle = '' } = {}] = await store.index.list(email);
  expect(await store.index.list(email)).toHaveLength(50);
  expect(await store.index.end(email, handle)).toBe(true);
});

test('limits may have fractions of a millisecond, which Redis does not take', async () => {
  const [idleSeconds, absoluteSeconds] = [10_000 / 7, 20_000 / 7];
  const fractions = { idleSeconds, absoluteSeconds, rememberIdleSeconds: idleSeconds, rememberAbsoluteSeconds: 9000 };
  const store = new SessionStore({ redis, limits: fractions, https: false });
  const id = newSessionId(tagOf(email));
  for (const remember of [false, true]) {
    const times = { signedInAt: Date.now(), lastSeenAt: Date.now() };
    await store.set(id, { ...plainData(), email, ...times, remember });
    await store.destroy(id);
  }
});

describe('options are checked at once', () => {
  test.each([[[]], [['']], [['short']], [['x'.repeat(32), 'short']], [[undefined]], ['x'.repeat(32)], [undefined]])(
    'secrets %j',
    (secrets) => {
      expect(complaintOfSessions({ store, secrets })).toContain('secrets of at least 32 characters');
    },
  );

  test.each([
    { idleSeconds: undefined },
    { absoluteSeconds: undefined },
    { rememberIdleSeconds: undefined },
    { rememberAbsoluteSeconds: Number.NaN },
    { idleSeconds: 0 },
    { idleSeconds: -1 },
    { idleSeconds: '1800' },
    { idleSeconds: 0.0009 },
    { rememberAbsoluteSeconds: Number.POSITIVE_INFINITY },
    { rememberAbsoluteSeconds: 30 * 86_400_000 },
    { minSignedInAt: Date.now() },
  ])('limits with %j', (wrong) => {
    const [name = ''] = Object.keys(wrong);
    const complaint = complaintOfStore({ redis, limits: { ...limits, ...wrong }, https: false });
    expect(complaint).toMatch(new RegExp(`^ {2}- limits\\.${name} (is missing: it )?takes .+$`, 'm'));
    expect(complaint.split('\n')).toHaveLength(2);
  });

  test.each([
    { idleSeconds: 3601, absoluteSeconds: 3600 },
    { rememberIdleSeconds: 9001, rememberAbsoluteSeconds: 9000 },
  ])('an idle limit that is the longer one: %j', (wrong) => {
    const [idle, absolute] = Object.keys(wrong);
    expect(complaintOfStore({ redis, limits: { ...limits, ...wrong }, https: false })).toBe(
      `new SessionStore() can't use its options:\n  - limits.${idle} is longer than limits.${absolute}; make it the shorter one`,
    );
  });

  test.each([
    ['redis', undefined],
    ['redis', {}],
    ['limits', undefined],
    ['limits', 1800],
    ['limits', null],
    ['https', undefined],
    ['https', 'yes'],
    ['sessionsPerAddress', 0],
    ['sessionsPerAddress', 1.5],
    ['deadlineMs', 0],
    ['deadlineMs', '1000'],
    ['deadlineMs', Number.POSITIVE_INFINITY],
    ['isAllowed', ['ann@example.com']],
    ['log', () => {}],
    ['log', null],
    ['noteOutage', true],
    ['prefix', '{shop}'],
    ['prefix', true],
  ])('%s: %j', (name, value) => {
    const complaint = complaintOfStore({ redis, limits, https: false, [name]: value });
    expect(complaint).toMatch(new RegExp(`^ {2}- ${name} (is missing: it )?takes .+$`, 'm'));
    expect(complaint.split('\n')).toHaveLength(2);
  });

  test('a client of ioredis', () => {
    const ofIoredis = { get() {}, eval() {}, hgetall() {} };
    expect(complaintOfStore({ redis: ofIoredis, limits, https: false })).toContain('one of ioredis does not fit');
  });

  test.each(['client', 'ttl', 'disableTouch', 'idleSeconds', 'constructor'])('the store has no option %s', (name) => {
    const complaint = complaintOfStore({ redis, limits, https: false, [name]: true });
    expect(complaint).toMatch(new RegExp(`^ {2}- ${name} is no option: .+$`, 'm'));
  });

  test.each(['rolling', 'saveUninitialized', 'resave', 'name', 'cookie', 'secret', 'proxy', 'genid', 'unset'])(
    'sessions() has no option %s',
    (name) => {
      const complaint = complaintOfSessions({ store, secrets: [testSecret], [name]: true });
      expect(complaint).toMatch(new RegExp(`^ {2}- ${name} is no option: .+$`, 'm'));
    },
  );

  test.each([{ store: undefined }, { store: {} }, { wrapLoading: true }])('sessions() with %j', (wrong) => {
    const [name] = Object.keys(wrong);
    const complaint = complaintOfSessions({ store, secrets: [testSecret], ...wrong });
    expect(complaint).toMatch(new RegExp(`^ {2}- ${name} (is missing: it )?takes .+$`, 'm'));
  });

  test('and all mistakes are in one message', () => {
    expect(complaintOfStore({ client: redis, limits: { idleSeconds: 1, absoluteSecs: 1 }, deadlineMs: 0 })).toBe(
      [
        "new SessionStore() can't use its options:",
        '  - client is no option: it is called redis',
        '  - redis is missing: it takes a client of the redis package, version 4 or newer, as createClient() returns it; one of ioredis does not fit',
        '  - https is missing: it takes true where visitors come by https, as in production, and false elsewhere',
        '  - deadlineMs takes milliseconds, more than 0 and at most a minute (60000)',
        '  - limits.absoluteSecs is no option: there are idleSeconds, absoluteSeconds, rememberIdleSeconds, rememberAbsoluteSeconds, minSignedInAt',
        ...['absoluteSeconds', 'rememberIdleSeconds', 'rememberAbsoluteSeconds'].map(
          (name) =>
            `  - limits.${name} is missing: it takes seconds, at least 0.001 and at most 400 days (34560000), for which browsers keep a cookie`,
        ),
      ].join('\n'),
    );
    expect(complaintOfStore(undefined).split('\n')).toHaveLength(4);
    expect(complaintOfSessions(undefined).split('\n')).toHaveLength(3);
  });
});

test.each([
  ['a promise', Promise.resolve(true)],
  ['a value of the type undefined', undefined],
])('isAllowed that returns %s lets nobody in, says so, and ends no session', async (words, answer) => {
  const errors: string[] = [];
  const start = (isAllowed?: () => boolean) =>
    startPlainApp({ redis, ...(isAllowed && { isAllowed }) }, (app) => {
      app.post('/login', async (req, res) => {
        await signIn(req, email);
        res.redirect(303, '/');
      });
      app.get('/', requireLogin, (_req, res) => void res.send('in'));
      app.use(((error, _req, res, _next) => {
        errors.push(error.message);
        res.sendStatus(500);
      }) satisfies ErrorRequestHandler);
    });
  const visitor = new Visitor(await start());
  await visitor.signIn(email);
  const wrong = await start((() => answer) as unknown as () => boolean);
  expect((await visitor.copy(wrong).get('/')).status).toBe(500);
  expect((await new Visitor(wrong).post('/login')).status).toBe(500);
  expect(errors).toEqual(Array(2).fill(`isAllowed must return true or false at once; it returned ${words}`));
  expect((await visitor.get('/')).text).toBe('in');
});

test('two apps on one Redis, each with a prefix, know nothing of each other', async () => {
  await redis.flushAll();
  const newSession = async (store: SessionStore) => {
    const id = newSessionId(tagOf(email));
    await store.set(id, { ...plainData(), email, signedInAt: Date.now(), lastSeenAt: Date.now(), remember: false });
    return id;
  };
  const [shop, forum] = ['shop:', 'forum:'].map((prefix) => new SessionStore({ redis, limits, https: false, prefix }));
  if (!shop || !forum) throw new Error('there are two');
  const [inShop, inForum] = [await newSession(shop), await newSession(forum)];
  expect(await shop.get(inForum)).toBeNull();
  expect([(await shop.index.list(email)).length, (await forum.index.list(email)).length]).toEqual([1, 1]);
  const keys = await redis.keys('*');
  expect(keys.map((key) => /^(?:shop|forum):.*\{(.+?)\}/.exec(key)?.[1])).toEqual(Array(4).fill(tagOf(email)));
  expect(await shop.index.endAll(email)).toBe(1);
  expect([await shop.get(inShop), await forum.get(inForum)]).toEqual([null, expect.objectContaining({ email })]);
});

describe('a page that does not wait until a session is stored', () => {
  const pages: Record<string, RequestHandler> = {
    'saves it': (req, res) => {
      req.session.save();
      res.redirect(303, '/');
    },
    'saves it before a change': (req, res) => {
      req.session.flash = 'earlier';
      req.session.save();
      req.session.flash = 'kept';
      res.redirect(303, '/');
    },
    'saves it twice at once': async (req, res) => {
      await Promise.all([saveSession(req), saveSession(req)]);
      res.redirect(303, '/');
    },
    'saves it after regenerate()': (req, res) => {
      req.session.regenerate(() => {
        req.session.flash = 'kept';
        req.session.save();
        res.redirect(303, '/');
      });
    },
  };

  test.each(Object.keys(pages))('and %s is answered all the same, and only once it is stored', async (what) => {
    const url = await startPlainApp({ redis }, (app) => {
      app.post('/login', async (req, res) => {
        await signIn(req, email);
        res.redirect(303, '/');
      });
      app.post('/page', (req, _res, next) => {
        req.session.flash = 'kept';
        next();
      });
      app.post('/page', pages[what] ?? (() => {}));
      app.get('/', (req, res) => void res.json(takeFlash(req) ?? null));
    });
    const signedIn = new Visitor(url);
    await signedIn.signIn('any');
    for (const visitor of [new Visitor(url), signedIn]) {
      for (const time of ['first', 'second']) {
        expect([time, (await visitor.post('/page')).status]).toEqual([time, 303]);
        expect((await visitor.get('/')).text).toBe('"kept"');
      }
    }
  });
});

/** As the package `compression` does: what listens for `drain` moves to the stream that compresses. */
const compress: RequestHandler = (_req, res, next) => {
  const { write, end, on } = res;
  const gzip = createGzip({ level: 1 });
  res.locals.gzip = gzip;
  let isBegun = false;
  res.on = ((event: string, listener: () => void) =>
    event === 'drain' ? gzip.on(event, listener) && res : Reflect.apply(on, res, [event, listener])) as typeof on;
  gzip.on('data', (chunk) => Reflect.apply(write, res, [chunk]) || gzip.pause());
  gzip.on('end', () => Reflect.apply(end, res, []));
  Reflect.apply(on, res, ['drain', () => gzip.resume()]);
  const begin = () => {
    if (!isBegun) res.setHeader('Content-Encoding', 'gzip');
    if (!isBegun) res.writeHead(res.statusCode);
    isBegun = true;
  };
  res.write = ((chunk: string) => {
    begin();
    return gzip.write(chunk);
  }) as typeof write;
  res.end = ((...given: [string?]) => {
    begin();
    gzip.end(...given);
    return res;
  }) as typeof end;
  next();
};

test.each<[string, (chunks: string[], res: Response) => unknown]>([
  ['pipe()', (chunks, res) => Readable.from(chunks).pipe(res)],
  ['pipeline()', (chunks, res) => pipeline(chunks, res)],
])('a page that streams by %s through middleware that compresses arrives whole', async (_how, stream) => {
  const chunks = Array.from({ length: 100 }, (_, number) => `${number} `.repeat(3000));
  const app = express();
  app.use(compress, sessions({ store, secrets: [testSecret] }));
  app.post('/', async (req, res) => {
    setFlash(req, 'changed');
    await stream(chunks, res);
  });
  const server = createServer(app);
  afterwards(() => closeHttpServer(server));
  const answer = await fetch(await listenLocally(server), { method: 'POST' });
  expect(answer.headers.get('Set-Cookie')).toMatch(/^session=/);
  expect((await answer.text()) === chunks.join('')).toBe(true);
});

test('a page that changes its session again while it streams through such middleware goes on', async () => {
  const app = express();
  app.use(compress, sessions({ store, secrets: [testSecret] }));
  app.get('/', (req, res) => {
    setFlash(req, 'at first');
    Readable.from(
      (async function* chunks() {
        for (let count = 1; count <= 40; count += 1) {
          if (count === 20) setFlash(req, 'later');
          yield 'x'.repeat(3000);
          await setImmediate();
        }
      })(),
    ).pipe(res);
  });
  const server = createServer(app);
  afterwards(() => closeHttpServer(server));
  expect((await (await fetch(await listenLocally(server))).text()).length).toBe(40 * 3000);
});

test.each([
  ['once', (count: number) => count === 1],
  ['at each chunk', () => true],
])('a compressed stream that changes its session %s waits for a visitor who reads slowly', async (_often, isChange) => {
  const chunkBytes = 65_536;
  let isFull = () => false;
  let maxWaitingBytes = 0;
  const app = express();
  app.use(compress, sessions({ store, secrets: [testSecret] }));
  app.get('/', (req, res) => {
    const gzip: Gzip = res.locals.gzip;
    isFull = () => gzip.writableNeedDrain && res.writableNeedDrain;
    const source = Readable.from(Array.from({ length: 128 }, () => randomBytes(chunkBytes)));
    let count = 0;
    source.on('data', () => {
      maxWaitingBytes = Math.max(maxWaitingBytes, gzip.writableLength);
      count += 1;
      if (isChange(count)) setFlash(req, `${count}`);
    });
    source.pipe(res);
  });
  const server = createServer(app);
  afterwards(() => closeHttpServer(server));
  const [answer]: IncomingMessage[] = await once(get(await listenLocally(server)), 'response');
  await expect.poll(() => isFull()).toBe(true);
  answer?.resume();
  await expect.poll(() => answer?.complete).toBe(true);
  expect(maxWaitingBytes).toBeLessThanOrEqual(2 * chunkBytes);
});

test('what is kept of somebody who is not signed in outlives a rotation of the secret', async () => {
  const newSecret = 'n'.repeat(32);
  const start = (...secrets: SessionSecrets) =>
    startPlainApp({ redis, secrets }, (app) => {
      app.post('/', (req, res) => {
        setFlash(req, 'kept');
        res.redirect(303, '/');
      });
      app.get('/', (req, res) => void res.json(req.session.flash ?? null));
    });
  const visitor = new Visitor(await start(testSecret));
  await visitor.post('/');
  const moved = visitor.copy(await start(newSecret, testSecret));
  expect((await moved.get('/')).setCookies).toHaveLength(1);
  expect((await moved.get('/')).setCookies).toHaveLength(0);
  expect((await moved.copy(await start(newSecret)).get('/')).text).toBe('"kept"');
});

// Latchkey's own server rewrites such targets; an app of one's own has another one, and answered 500.
test('a target that is not a path has a session as well', async () => {
  const url = await startPlainApp({ redis }, (app) => {
    app.use((req, res) => void res.json(typeof req.session));
  });
  const { received, closed } = await connect(url, 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await closed;
  expect(received()).toMatch(/^HTTP\/1.1 200 [\s\S]*"object"$/);
});

test('errors of another version of the redis package are told apart as well', async () => {
  /** Passes on what Redis says as an error of a class that Latchkey does not know. */
  const inOtherClass = (error: Error) => Promise.reject(new Error(error.message));
  const other: SessionRedis = {
    get: (key) => redis.get(key).catch(inOtherClass),
    eval: (script, options) => redis.eval(script, options).catch(inOtherClass),
  };
  const url = await startPlainApp({ redis: other }, (app) => {
    app.post('/login', async (req, res) => {
      await signIn(req, email);
      res.redirect(303, '/');
    });
    app.get('/', requireLogin, (_req, res) => void res.send('signed in'));
  });
  const visitor = new Visitor(url);
  await visitor.signIn('any');
  const key = sessionKey(visitor.sessionId);
  await redis.setRange(key, 0, (Math.floor(Date.now() / 1000) - 600).toString(16));
  await redis.configSet('min-replicas-to-write', '1');
  const whileReadOnly = (await visitor.get('/')).status;
  await redis.configSet('min-replicas-to-write', '0');
  await redis.del(key);
  await redis.lPush(key, 'of another type');
  expect([whileReadOnly, (await visitor.get('/')).status]).toEqual([200, 401]);
});

test('`destroy()` without a callback ends no process when Redis fails, and `noteOutage` is told', async () => {
  const unhandled: unknown[] = [];
  const noteUnhandled = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', noteUnhandled);
  onTestFinished(() => void process.off('unhandledRejection', noteUnhandled));
  const noted: unknown[] = [];
  const noteOutage = (error: unknown) => noted.push(error);
  const failing = await connectNode(await testRedis());
  const url = await startPlainApp({ redis: failing, noteOutage }, (app) => {
    app.post('/login', async (req, res) => {
      await signIn(req, email);
      res.redirect(303, '/');
    });
    app.post('/logout', (req, res) => {
      failing.destroy();
      Reflect.apply(req.session.destroy, req.session, []);
      res.redirect(303, '/');
    });
  });
  const visitor = new Visitor(url);
  await visitor.signIn('any');
  await visitor.post('/logout');
  expect(unhandled).toEqual([]);
  expect(noted).toEqual([expect.any(RedisUnavailable)]);
});
