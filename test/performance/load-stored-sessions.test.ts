import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import express, { type Request, type RequestHandler, type Response } from 'express';
import { describe, expect, test } from 'vitest';
import { loadStoredSessions } from '../../src/features/performance/load-stored-sessions.ts';
import { closeHttpServer, createHttpServer } from '../../src/http/http-server.ts';
import { giveRequestId } from '../../src/middleware/request-id.ts';
import { sign } from '../../src/session/cookie.ts';
import { type SessionsOptions, sessions } from '../../src/session/middleware.ts';
import { anonymousTag, newSessionId, sessionKey } from '../../src/session/session-id.ts';
import { signIn, signOut } from '../../src/session/sign-in.ts';
import type { SessionStore } from '../../src/session/store.ts';
import { address } from '../support/address.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectNode, testSecret } from '../support/app.ts';
import { newStore } from '../support/fork.ts';
import { heapGrowth } from '../support/heap-growth.ts';
import { listenLocally } from '../support/servers.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

declare module 'express-session' {
  interface SessionData {
    testColor?: string;
  }
}

const redisAddress = await testRedis();
const redis = await connectNode(redisAddress);
const store = newStore(redis);
const secrets: SessionsOptions['secrets'] = [testSecret, 'an older secret for the tests, of 32 characters'];
let leftToExpressSession = 0;

const plainUrl = await start();
const url = await start((expressSession) => {
  const counted: RequestHandler = (...args) => {
    leftToExpressSession += 1;
    expressSession(...args);
  };
  return loadStoredSessions({ store, secrets }, '/admin')(counted);
});

/** Pages behind sessions, as express-session loads them itself, or with something in its place. */
async function start(wrapLoading?: SessionsOptions['wrapLoading'], sessionStore = store): Promise<string> {
  const app = express();
  app.use(giveRequestId);
  app.use(sessions({ store: sessionStore, secrets, ...(wrapLoading && { wrapLoading }) }));
  app.get('/', (req, res) => void res.json({ email: req.session.email, testColor: req.session.testColor }));
  app.get('/paint', (req, res) => {
    req.session.testColor = 'blue';
    res.json({ testColor: 'blue' });
  });
  app.get('/paint-raw', (req, res) => {
    req.session.testColor = 'blue';
    res.writeHead(200, { 'Content-Type': 'text/plain' }).end('blue');
  });
  app.get('/sign-in', async (req, res) => {
    await signIn(req, address('ann@example.com'), { remember: req.query.remember === 'on' });
    res.send('done');
  });
  app.get('/sign-out', async (req, res) => {
    await signOut(req, res);
    res.send('done');
  });
  const server = createHttpServer(app);
  afterwards(() => closeHttpServer(server));
  return listenLocally(server);
}

async function signedIn(site: string): Promise<Visitor> {
  const visitor = new Visitor(site);
  await visitor.get('/sign-in');
  return visitor;
}

describe('a genuine cookie', () => {
  test('is all that is remembered of its header', async () => {
    const emptyStore: SessionStore = Object.assign(Object.create(store), { get: async () => null, generate() {} });
    const load = loadStoredSessions({ store: emptyStore, secrets }, '/admin')(() => {});
    const growth = await heapGrowth(async () => {
      for (let count = 0; count < 600; count += 1) {
        const req = new IncomingMessage(new Socket()) as Request;
        const cookie = `session=${encodeURIComponent(sign(newSessionId(anonymousTag), testSecret))}`;
        req.headers = { cookie: Buffer.from(`${cookie}; ${'x'.repeat(16_000)}`).toString() };
        await new Promise((done) => load(req, new ServerResponse(req) as Response, done));
        expect(req.sessionID).toBeDefined();
      }
    });
    expect(growth).toBeLessThan(5_000_000);
  });

  test('opens its session without express-session', async () => {
    const visitor = await signedIn(url);
    const before = leftToExpressSession;
    for (let count = 0; count < 2; count += 1) {
      expect((await visitor.get('/')).text).toBe('{"email":"ann@example.com"}');
    }
    expect(leftToExpressSession).toBe(before);
  });

  test('opens no session that has ended, however lately the cookie was seen', async () => {
    const visitor = await signedIn(url);
    await visitor.get('/');
    await redis.del(sessionKey(visitor.sessionId));
    const { text, setCookies } = await visitor.get('/');
    expect([text, setCookies]).toEqual(['{}', []]);
  });

  test('is answered with an error while Redis is out of reach', async () => {
    const visitor = await signedIn(url);
    const closed = await connectNode(redisAddress);
    closed.destroy();
    const unreachable = newStore(closed);
    const brokenUrl = await start(loadStoredSessions({ store: unreachable, secrets }, '/admin'), unreachable);
    expect((await visitor.copy(brokenUrl).get('/')).status).toBe(503);
  });
});

const owner = await signedIn(url);

test.each([
  ['genuine', (cookie: string) => cookie, true],
  ['among others', (cookie: string) => `a=1; ${cookie}; b=2`, true],
  ['close to others', (cookie: string) => `a=1;${cookie};b=2`, true],
  ['behind one of a similar name', (cookie: string) => `x${cookie.slice(0, -1)}; ${cookie}`, true],
  ['in quotes', (cookie: string) => cookie.replace('=', '="').concat('"'), true],
  ['not encoded', (cookie: string) => decodeURIComponent(cookie), true],
  ['with space around it', (cookie: string) => cookie.replace('=', ' = ').concat(' '), true],
  ['behind a tab', (cookie: string) => `a=1;\t${cookie}`, true],
  ['signed by an older secret', () => `session=${encodeURIComponent(sign(owner.sessionId, secrets[1] ?? ''))}`, true],
  ['twice, the genuine one first', (cookie: string) => `${cookie}; session=forged`, true],
  ['twice, the genuine one second', (cookie: string) => `session=forged; ${cookie}`, false],
  ['twice, the first behind a tab', (cookie: string) => `a=1;\tsession=forged; ${cookie}`, false],
  ['twice, the first before a space', (cookie: string) => `${cookie.replace(/=.*/, ' =forged')}; ${cookie}`, false],
  ['behind nothing', (cookie: string) => `; ${cookie}`, true],
  ['with something else behind its name', (cookie: string) => cookie.replace('=', '-'), false],
  ['with another signature', (cookie: string) => otherCharacter(cookie, -1), false],
  ['with another id', (cookie: string) => otherCharacter(cookie, 'session=s%3A'.length + 20), false],
  ['cut short', (cookie: string) => cookie.slice(0, -1), false],
  ['with more behind it', (cookie: string) => `${cookie}A`, false],
  ['without a signature', (cookie: string) => cookie.replace(/\..*/, ''), false],
  ['with an empty signature', (cookie: string) => cookie.replace(/\..*/, '.'), false],
  ['without its mark', (cookie: string) => cookie.replace('s%3A', ''), false],
  ['under another name', (cookie: string) => `x${cookie}`, false],
  ['in the value of another', (cookie: string) => `x=${cookie}`, false],
  ['signed by somebody else', () => `session=${encodeURIComponent(sign(owner.sessionId, 'x'.repeat(32)))}`, false],
  ['empty', () => 'session=', false],
])('a cookie that is sent %s counts as it does for express-session', async (_, written, isGood) => {
  await owner.get('/'); // Now the genuine one is among the recent cookies.
  const asked = { headers: { Cookie: written(owner.cookieHeader) } };
  const [here, there] = await Promise.all([url, plainUrl].map((site) => new Visitor(site).get('/', asked)));
  expect(here?.text).toBe(isGood ? '{"email":"ann@example.com"}' : '{}');
  expect([here?.status, here?.text, here?.setCookies]).toEqual([there?.status, there?.text, there?.setCookies]);
});

function otherCharacter(text: string, position: number): string {
  const at = (position + text.length) % text.length;
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
}

test.each([
  ['what a page changes', ['/sign-in', '/paint', '/']],
  ['what a page keeps of somebody without a session', ['/paint', '/']],
  ['what a page keeps that writes its own head', ['/paint-raw', '/']],
  ['a sign-in by somebody who has signed in', ['/sign-in', '/sign-in', '/']],
  ['a sign-in that is remembered', ['/paint', '/sign-in?remember=on', '/']],
  ['a session after logout', ['/sign-in', '/sign-out', '/', '/paint', '/']],
])('%s is stored, and gets a cookie, as with express-session', async (_, paths) => {
  const [here = [], there] = await Promise.all([url, plainUrl].map((site) => visitInTurn(site, paths)));
  expect(here).toEqual(there);
  expect(here.at(-1)?.text).not.toBe('{}');
});

test('a remembered visitor whose session a page changes keeps the cookie', async () => {
  const visitor = new Visitor(url);
  await visitor.get('/sign-in?remember=on');
  expect((await visitor.get('/paint')).setCookies).toEqual([]);
  expect((await visitor.get('/')).text).toBe('{"email":"ann@example.com","testColor":"blue"}');
});

async function visitInTurn(site: string, paths: string[]) {
  const visitor = new Visitor(site);
  const visits = [];
  for (const path of paths) {
    const { status, text, setCookies } = await visitor.get(path);
    const names = setCookies.map((line) =>
      line.replace(/=s%3A[^;]+/, '=an id').replace(/(?:Max-Age=\d+; )?Expires=.*GMT/, 'an end'),
    );
    visits.push({ path, status, text, names });
  }
  return visits;
}
