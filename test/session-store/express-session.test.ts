import { readFileSync } from 'node:fs';
import type { Express, Request, RequestHandler, Response } from 'express';
import { beforeEach, describe, expect, test } from 'vitest';
import { SessionStore, saveSession, sessions, signIn, signOut } from '../../src/features/session-store/index.ts';
import { sessionKey } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { connectNode, testSecret } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';
import { limits, startPlainApp } from './plain-app.ts';

const documentation = readFileSync(new URL('../../docs/session-store.md', import.meta.url), 'utf8');
const redis = await connectNode(await testRedis());
const store = new SessionStore({ redis, limits, https: false });
beforeEach(() => redis.flushAll());

const keep = (note: string) => (req: Request) => void Object.assign(req.session, { note });
const called = (method: (done: (error?: unknown) => void) => unknown) =>
  new Promise<void>((done, fail) => method((error) => (error ? fail(error) : done())));

/** What a page that was written for express-session does. */
const actions = {
  keep: keep('kept'),
  maxAge(req) {
    keep('kept')(req);
    req.session.cookie.maxAge = 1000;
  },
  touch: (req) => void req.session.touch(),
  regenerate: (req) => called((done) => req.session.regenerate(done)),
  async leaveWithMessage(req) {
    await called((done) => req.session.regenerate(done));
    keep('goodbye')(req);
  },
  destroy: (req) => called((done) => req.session.destroy(done)),
  save(req) {
    keep('saved')(req);
    return called((done) => req.session.save(done));
  },
  saveSession(req) {
    keep('saved')(req);
    return saveSession(req);
  },
  reload(req) {
    keep('taken back')(req);
    return called((done) => req.session.reload(done));
  },
  unset(req) {
    keep('lost')(req);
    Reflect.set(req, 'session', null);
  },
  signOut,
} satisfies Record<string, (req: Request, res: Response) => void | Promise<void>>;
type Action = keyof typeof actions;

function addPages(app: Express): void {
  app.post('/login', async (req, res) => {
    await signIn(req, address(req.body.email), { remember: req.body.remember === 'on' });
    res.redirect(303, '/');
  });
  for (const [name, act] of Object.entries(actions)) {
    const handler: RequestHandler = async (req, res) => {
      await act(req, res);
      res.send('done');
    };
    app.post(`/${name}`, handler);
  }
  app.get(
    '/',
    (req, res) => void res.json([req.session.email, Reflect.get(req.session, 'note')].map((is) => is ?? null)),
  );
}

const url = await startPlainApp({ redis }, addPages);
const secureUrl = await startPlainApp({ redis, https: true, trustProxy: 1 }, addPages);
const ann = 'ann@example.com';

async function signedIn(form: Record<string, string> = {}): Promise<Visitor> {
  const visitor = new Visitor(url);
  await visitor.signIn(ann, form);
  return visitor;
}

async function after(action: Action, visitor: Visitor): Promise<{ setCookies: string[]; seen: [string, string] }> {
  const { status, setCookies } = await visitor.post(`/${action}`);
  expect(status).toBe(200);
  return { setCookies, seen: JSON.parse((await visitor.get('/')).text) };
}

const recordOf = (visitor: Visitor) => redis.get(sessionKey(visitor.sessionId));
const millisecondsLeft = (visitor: Visitor) => redis.pTTL(sessionKey(visitor.sessionId));
const refused = (name: string) => expect(() => sessions({ store, secrets: [testSecret], [name]: true })).toThrow(name);

/** For each row of the table in the document, by its first cell, what it says. */
const rows: Record<string, () => void | Promise<void>> = {
  '`secret`': () => refused('secret'),
  async '`name`, `cookie`'() {
    for (const name of ['name', 'cookie']) refused(name);
    const [plain = ''] = (await new Visitor(url).signIn(ann)).setCookies;
    expect(plain).toMatch(/^session=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
    const visitor = new Visitor(secureUrl, { 'X-Forwarded-Proto': 'https' });
    const [secure = ''] = (await visitor.signIn(ann)).setCookies;
    expect(secure).toMatch(/^__Host-session=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
  },
  async '`cookie.maxAge`, `req.session.cookie.maxAge`'() {
    const [plain = ''] = (await new Visitor(url).signIn(ann)).setCookies;
    const [remembered = ''] = (await new Visitor(url).signIn(ann, { remember: 'on' })).setCookies;
    expect(plain).not.toMatch(/Max-Age|Expires/);
    const [, maxAge] = /; Max-Age=(\d+)/.exec(remembered) ?? [];
    expect(Number(maxAge)).toBeGreaterThan(limits.rememberIdleSeconds - 60);
    expect(Number(maxAge)).toBeLessThanOrEqual(limits.rememberIdleSeconds);
    for (const visitor of [new Visitor(url), await signedIn(), await signedIn({ remember: 'on' })]) {
      await after('maxAge', visitor);
      expect(await millisecondsLeft(visitor)).toBeGreaterThan(1_700_000);
    }
  },
  '`prefix`, `ttl` of connect-redis': async () => {
    const prefixed = await startPlainApp({ redis, prefix: 'shop:' }, addPages);
    await new Visitor(prefixed).signIn(ann);
    expect((await redis.keys('*')).filter((key) => !key.startsWith('shop:'))).toEqual([]);
    const visitor = await signedIn();
    expect(await millisecondsLeft(visitor)).toBeGreaterThan(limits.idleSeconds * 1000 - 60_000);
    expect(await millisecondsLeft(visitor)).toBeLessThanOrEqual(limits.idleSeconds * 1000);
    const options = { redis, limits, https: false, ttl: 1800 };
    expect(() => new SessionStore(options)).toThrow('limits');
  },
  async '`rolling`'() {
    refused('rolling');
    for (const form of [{}, { remember: 'on' }]) {
      const visitor = await signedIn(form);
      const [before, key] = [await recordOf(visitor), sessionKey(visitor.sessionId)];
      await redis.setRange(key, 0, (Math.floor(Date.now() / 1000) - 600).toString(16));
      await redis.pExpire(key, 60_000);
      const { setCookies } = await visitor.get('/');
      expect(setCookies).toHaveLength('remember' in form ? 1 : 0);
      expect(await millisecondsLeft(visitor)).toBeGreaterThan(1_700_000);
      expect((await recordOf(visitor))?.slice(8)).toBe(before?.slice(8));
    }
  },
  async '`resave`'() {
    refused('resave');
    const visitor = await signedIn();
    const [record] = [await recordOf(visitor), await visitor.get('/')];
    expect(await recordOf(visitor)).toBe(record);
    expect((await after('keep', visitor)).seen).toEqual([ann, 'kept']);
  },
  async '`saveUninitialized`'() {
    refused('saveUninitialized');
    const visitor = new Visitor(url);
    expect([(await visitor.get('/')).setCookies, await redis.keys('*')]).toEqual([[], []]);
    expect((await after('keep', visitor)).setCookies).toHaveLength(1);
    expect(await redis.keys('*')).toEqual([sessionKey(visitor.sessionId)]);
  },
  '`genid`': () => refused('genid'),
  '`proxy`': () => refused('proxy'),
  async '`unset`, `req.session = null`'() {
    refused('unset');
    const visitor = await signedIn();
    expect((await after('unset', visitor)).seen).toEqual([ann, null]);
  },
  async '`req.session.touch()`'() {
    const visitor = await signedIn({ remember: 'on' });
    await redis.pExpire(sessionKey(visitor.sessionId), 60_000);
    const record = await recordOf(visitor);
    expect((await after('touch', visitor)).setCookies).toEqual([]);
    expect([await recordOf(visitor), (await millisecondsLeft(visitor)) <= 60_000]).toEqual([record, true]);
  },
  async '`req.session.regenerate()`'() {
    const visitor = await signedIn();
    await after('keep', visitor);
    const old = visitor.copy();
    expect((await after('regenerate', visitor)).seen).toEqual([null, null]);
    expect(visitor.sessionId).not.toBe(old.sessionId);
    expect(await redis.keys('*')).toEqual([]);
    const leaving = await signedIn();
    expect((await after('leaveWithMessage', leaving)).seen).toEqual([null, 'goodbye']);
  },
  async '`req.session.destroy()`'() {
    for (const [action, cookies] of [
      ['destroy', 0],
      ['signOut', 1],
    ] as const) {
      const visitor = await signedIn();
      const old = visitor.copy();
      const { setCookies, seen } = await after(action, visitor);
      expect([setCookies.length, seen]).toEqual([cookies, [null, null]]);
      expect(JSON.parse((await old.get('/')).text)).toEqual([null, null]);
      expect(await redis.keys('*')).toEqual([]);
    }
  },
  async '`req.session.save()`'() {
    for (const action of ['save', 'saveSession'] as const) {
      for (const visitor of [new Visitor(url), await signedIn()]) {
        expect((await after(action, visitor)).seen[1]).toBe('saved');
      }
    }
  },
  async '`req.session.reload()`'() {
    expect((await after('reload', await signedIn())).seen).toEqual([ann, null]);
    expect((await new Visitor(url).post('/reload')).status).toBe(500);
  },
  async '`store.all()`, `clear()`, `ids()`, `length()`'() {
    for (const scan of [store.all, store.clear, store.ids, store.length]) {
      await expect(scan.call(store)).rejects.toThrow('use the session index');
    }
  },
};

describe('for those who come from express-session', () => {
  test.each(Object.entries(rows))('%s', (_name, says) => says());

  test('the document has these rows', () => {
    const [, table = ''] = /\n\| express-session \|[^\n]+\n\| --- [^\n]+\n([\s\S]*?)\n\n/.exec(documentation) ?? [];
    const cells = table.split('\n').map((row) => row.split(' | ')[0]?.replace('| ', ''));
    expect(cells).toEqual(Object.keys(rows));
  });
});
