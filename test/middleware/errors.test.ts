import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import express, { type Express } from 'express';
import request from 'supertest';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HttpError } from '../../src/http/http-error.ts';
import { registerEjs } from '../../src/http/view-engine.ts';
import { createLogger } from '../../src/log.ts';
import { errorPage } from '../../src/middleware/errors.ts';
import { giveRequestId } from '../../src/middleware/request-id.ts';
import { InsecureRequest } from '../../src/session/sign-in.ts';
import { startApp } from '../support/app.ts';
import { ask, clients, type Method, signedIn, xhr } from '../support/client.ts';
import { offersOf } from '../support/offers.ts';
import { connect } from '../support/process.ts';
import { listenLocally } from '../support/servers.ts';
import { testRedis } from '../support/test-redis.ts';

const redisAddress = await testRedis();
const { url } = await startApp({ redisAddress });
const misconfigured = await startApp({
  redisAddress,
  env: { BASE_URL: 'https://login.example.com', TRUST_PROXY: '1' },
});
const withoutRedis = await startApp();
const lostVisitor = await signedIn(withoutRedis.url);
await withoutRedis.redis.sendCommand(['SHUTDOWN', 'NOSAVE']).catch(() => {});

const internals =
  /express|node_modules|node:|body-?parser|connect-redis|ioredis|\bzod\b|\.ejs|\.[jt]s:\d|\bat \w+ \(|Error:/i;

type Kind = keyof typeof clients;
const form = (app: string, email: string) => (kind: Kind) =>
  ask(app, 'post', '/login').type('form').send({ email }).set(clients[kind]);
const plain = (method: Method, path: string) => (kind: Kind) => ask(url, method, path).set(clients[kind]);

const errors: [status: number, message: string, provoke: (kind: Kind) => request.Test][] = [
  [400, 'The request could not be understood.', plain('get', '/%zz')],
  [401, 'Please login first.', plain('get', '/admin')],
  [
    403,
    'This form was sent from another site, so nothing was done.',
    (kind) => plain('post', '/login')(kind).set('Sec-Fetch-Site', 'cross-site'),
  ],
  [404, 'There is no page at this address.', plain('get', '/nowhere')],
  [405, "This page doesn't accept DELETE requests.", plain('delete', '/')],
  [413, 'That is more than this page accepts.', form(url, 'a'.repeat(1_000_000))],
  [
    415,
    'The form was sent in a format that this page does not accept.',
    (kind) => plain('post', '/login')(kind).type('text').send('x'),
  ],
  [500, 'Something went wrong on our side. Please try again.', form(misconfigured.url, 'ann@example.com')],
  [
    503,
    'That did not work just now. Please try again in a few seconds.',
    (kind) => ask(withoutRedis.url, 'get', '/', lostVisitor).set(clients[kind]),
  ],
];

describe.each(errors)('%i', (status, message, provoke) => {
  test('is a page for a browser, with one heading and a link home', async () => {
    const { text, headers } = await provoke('html').expect(status).expect('Content-Type', 'text/html; charset=utf-8');
    expect(text.match(/<h1/g)).toHaveLength(1);
    expect(text).toContain(`<h1>${message.replace("'", '&#39;')}</h1>`);
    expect(text).toContain(`Error ${status}`);
    expect(text).toMatch(/<main[\s\S]* href="\/"/);
    expect(text).not.toMatch(internals);
    expect(headers['set-cookie']).toBeUndefined();
  });

  test('is a line of text or JSON for clients that prefer those', async () => {
    await provoke('text').expect(status, `${message}\n`).expect('Content-Type', 'text/plain; charset=utf-8');
    const { body } = await provoke('json')
      .expect(status)
      .expect('Content-Type', /^application\/json/);
    expect(body).toEqual({ error: message, ...(status >= 500 && { requestId: expect.any(String) }) });
  });

  test('is never stored, and varies by kind of client', async () => {
    const { headers } = await provoke('html');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers.vary).toBe('Accept, X-Requested-With');
    expect(headers.etag).toBeUndefined();
    expect(headers['retry-after']).toBe(status === 503 ? '5' : undefined);
  });
});

test('a request that Redis fails is not logged as a fault of ours', async () => {
  await ask(withoutRedis.url, 'get', '/', lostVisitor).expect(503);
  expect(withoutRedis.logged().filter(({ msg }) => msg === 'request failed')).toEqual([]);
});

test('the header offers to log in to a visitor who is signed out, not to one of whom that is not known', async () => {
  const login = '<nav aria-label="Account"><a href="/login">Log in</a></nav>';
  const page = (origin: string) => ask(origin, 'get', '/missing', lostVisitor).set('Accept', 'text/html');
  expect((await page(url).expect(404)).text).toContain(login);
  expect((await page(withoutRedis.url).expect(503)).text).not.toContain(login);
});

describe('the next step', () => {
  test.each([
    ['/', '/'],
    ['/login?next=/x', '/login?next=/x'],
    ['/admin?a=1&b="', '/admin?a=1&amp;b=&#34;'],
    ['//evil.example/x', '/evil.example/x'],
    ['/\\evil.example/x', '/evil.example/x'],
  ])('after a 503 is the same page again: %s', async (path, href) => {
    const { received, closed } = await connect(
      withoutRedis.url,
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nCookie: ${lostVisitor.cookieHeader}\r\nConnection: close\r\n\r\n`,
    );
    await closed;
    expect(received()).toMatch(/^HTTP\/1\.1 503 /);
    expect(offersOf(received())).toEqual({ links: [['Try again', href]], forms: [] });
  });

  test.each<[path: string, label: string, href: string, method?: Method]>([
    ['/admin/end-session', 'Back to the form', '/admin'],
    ['/admin/end-other-sessions', 'Back to the form', '/admin'],
    ['/admin', 'Open the page', '/admin', 'post'],
    ['/login?next=/', 'Open the page', '/login?next=/', 'delete'],
  ])('after a 405 is the page with the form: %s', async (path, label, href, method = 'get') => {
    const visitor = await signedIn(url);
    const { text } = await ask(url, method, path, visitor).set(clients.html).expect(405);
    expect(offersOf(text)).toEqual({ links: [[label, href]], forms: [] });
    await ask(url, 'get', href, visitor).set(clients.html).redirects(1).expect(200);
  });
});

describe('the error page reads', () => {
  const email = 'ann@example.com';
  const details = { link: { href: '/form', label: 'Back' }, note: 'A note.' };
  // In place of the page, an engine that renders what the page would read.
  const app = express();
  app.set('views', fileURLToPath(new URL('../../views', import.meta.url))).set('view engine', 'ejs');
  app.engine('ejs', (_path, locals, done) => done(null, JSON.stringify(locals)));
  app.use('/:status/:session', (req, res) => {
    const { status, session } = req.params;
    const sessions: Record<string, object> = { fresh: {}, anns: { email } };
    Object.assign(req, { session: sessions[session] });
    res.locals.email = email;
    throw new HttpError(Number(status), 'Words for the visitor.', details);
  });
  app.use(errorPage({ log: createLogger('silent'), noteOutage() {} }));

  test.each<[Method, string, object]>([
    ['get', '/500/none', { retryUrl: '/500/none' }],
    ['post', '/500/none', {}],
    ['get', '/503/anns?x=1', { retryUrl: '/503/anns?x=1' }],
    ['post', '/422/anns', details],
    // A session that a save found ended, or could not save; and one that is too old for the page.
    ['get', '/401/fresh', { loginForm: { next: '/401/fresh' }, leadsBack: true, hasNoCookies: true }],
    ['get', '/401/none', { loginForm: { next: '/401/none' }, leadsBack: true, hasNoCookies: true }],
    [
      'get',
      '/401/anns?x=1',
      { loginForm: { next: '/401/anns?x=1', typed: email }, leadsBack: true, hasNoCookies: true },
    ],
    ['post', '/401/anns', { loginForm: { next: '/admin', typed: email }, leadsBack: false, hasNoCookies: true }],
  ])('after %s %s: %j', async (method, path, step) => {
    const { text } = await request(app)[method](path).set(clients.html);
    const { retryUrl, loginForm, leadsBack, hasNoCookies, link, note } = JSON.parse(text);
    expect({ retryUrl, loginForm, leadsBack, hasNoCookies, link, note }).toEqual(step);
  });

  test('that a cookie came, though not the one of a session', async () => {
    const { text } = await request(app)
      .get('/401/fresh')
      .set({ ...clients.html, Cookie: 'other=1' });
    expect(JSON.parse(text).hasNoCookies).toBe(false);
  });

  test.each(['/500/none', '/401/none'])('the same for HEAD: %s', async (path) => {
    const [get, head] = await Promise.all(
      (['get', 'head'] as const).map((method) => request(app)[method](path).set(clients.html)),
    );
    expect(head?.headers['content-length']).toBe(String(Buffer.byteLength(get?.text ?? '')));
  });
});

test('422 is a line of text or JSON for the older client, like every error', async () => {
  const visitor = await signedIn(url);
  const message = 'Which session? Go back and choose one from the list.';
  await ask(url, 'post', '/admin/end-session', visitor).set(clients.json).expect(422, { error: message });
  await ask(url, 'post', '/admin/end-session', visitor).set(xhr).expect(422, `${message}\n`);
  await ask(url, 'get', '/nowhere').set(xhr).expect(404, 'There is no page at this address.\n');
});

describe('an unexpected error', () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('info', { write: (line) => lines.push(JSON.parse(line)) });
  const detail = 'a detail that is none of a visitor’s business';

  /** The first and the last step of the request path, with broken routes in between. */
  function brokenApp(): Express {
    const app = express();
    app.locals.asset = (name: string) => `/${name}`;
    registerEjs(app, { directory: fileURLToPath(new URL('../../views', import.meta.url)), reload: false });
    app.use(giveRequestId);
    app.get('/throws', () => {
      throw new Error(detail);
    });
    app.get('/rejects', async () => {
      await Promise.reject(new Error(detail));
    });
    app.get('/passes-on', (_req, _res, next) => next(Object.assign(new Error(detail), { status: 503, expose: true })));
    app.get('/throws-text', () => {
      throw detail;
    });
    app.get('/throws-object', () => {
      throw { status: 404, message: detail };
    });
    app.get('/throws-success', () => {
      throw Object.assign(new Error(detail), { status: 200 });
    });
    app.get('/client-error', () => {
      throw Object.assign(new Error(detail), { status: 409, expose: true });
    });
    app.get('/insecure', () => {
      throw new InsecureRequest(detail);
    });
    app.get('/expected', () => {
      throw new HttpError(422, 'Words for the visitor.', { link: { href: '/form', label: 'Back' } });
    });
    app.get('/prepared', (_req, res) => {
      res.attachment('notes.csv').set({ ETag: '"1"', 'Last-Modified': new Date(0).toUTCString(), 'X-Own': 'kept' });
      res.set({ 'Content-Encoding': 'identity', 'Content-Language': 'de', 'Content-Security-Policy': 'kept' });
      throw new Error(detail);
    });
    app.get('/unrenderable', (_req, res) => {
      res.locals.asset = () => expect.fail(detail);
      throw new HttpError(422, 'Words for the visitor.');
    });
    app.get('/half', (_req, res, next) => {
      res.write('half of it', () => next(new Error(detail)));
    });
    app.get('/whole', (_req, res) => {
      res.end('all of it');
      throw new Error(detail);
    });
    app.use(errorPage({ log, noteOutage() {} }));
    return app;
  }
  const app = brokenApp();

  test.each(['/throws', '/rejects', '/passes-on', '/throws-text', '/throws-object', '/throws-success'])(
    '%s is a 500 without a detail, logged once under the id that the page names',
    async (path) => {
      lines.length = 0;
      const { text, headers } = await request(app).get(path).set(clients.html).expect(500);
      expect(text).not.toContain(detail);
      expect(text).not.toMatch(internals);
      const faults = lines.filter(({ msg }) => msg === 'request failed');
      expect(faults).toHaveLength(1);
      expect(text).toContain(`<code>${faults[0]?.id}</code>`);
      expect(headers['x-request-id']).toBe(faults[0]?.id);
    },
  );

  test('reaches the log with its stack', async () => {
    lines.length = 0;
    await request(app).get('/rejects').expect(500);
    expect(lines).toContainEqual(
      expect.objectContaining({
        err: expect.objectContaining({ message: detail, stack: expect.stringContaining('.ts') }),
      }),
    );
  });

  test('is named in the log by its class, which an operator can search for', async () => {
    lines.length = 0;
    await request(app).get('/insecure').expect(500);
    expect(lines).toContainEqual(
      expect.objectContaining({
        err: expect.objectContaining({ name: 'InsecureRequest', stack: expect.stringMatching(/^InsecureRequest: /) }),
      }),
    );
  });

  test('keeps its own status below 500, but not its message', async () => {
    lines.length = 0;
    await request(app).get('/client-error').set(clients.text).expect(409, 'The request could not be understood.\n');
    expect(lines).toEqual([]);
  });

  test('differs from a refusal, whose message is for the visitor, and which is not logged as an error', async () => {
    lines.length = 0;
    await request(app).get('/expected').set(clients.text).expect(422, 'Words for the visitor.\n');
    expect(lines).toEqual([]);
    const { text } = await request(app).get('/expected').set(clients.html).expect(422);
    expect(offersOf(text)).toEqual({ links: [['Back', '/form']], forms: [] });
  });

  test.each(['html', 'text', 'json'] as const)('as %s says nothing of the page that is not sent', async (kind) => {
    const [failed, plain] = await Promise.all(
      ['/prepared', '/throws'].map((path) => request(app).get(path).set(clients[kind]).expect(500)),
    );
    const { 'x-own': own, 'content-security-policy': policy, ...others } = failed?.headers ?? {};
    expect([own, policy]).toEqual(['kept', 'kept']);
    expect(Object.keys(others).sort()).toEqual(Object.keys(plain?.headers ?? {}).sort());
    expect(others['content-type']).toBe(plain?.headers['content-type']);
  });

  test('cuts off an open response, so that nobody takes it for complete', async () => {
    await expect(request(app).get('/half')).rejects.toThrow('aborted');
  });

  test('in the error page itself is a line of text without a detail, and in the log', async () => {
    lines.length = 0;
    const { text } = await request(app).get('/unrenderable').set(clients.html).expect(422);
    expect(text).toBe('Words for the visitor.\n');
    const [fault, ...others] = lines.filter(({ msg }) => msg === 'error page failed');
    expect(fault).toMatchObject({ id: expect.any(String), err: { message: expect.stringContaining(detail) } });
    expect(others).toEqual([]);
  });

  test('leaves a completed response alone, and its connection open', async () => {
    lines.length = 0;
    const server = createServer(app);
    const { received, socket } = await connect(await listenLocally(server), 'GET /whole HTTP/1.1\r\nHost: x\r\n\r\n');
    onTestFinished(() => void server.close());
    await expect.poll(received).toMatch(/200 OK[\s\S]*all of it$/);
    expect(lines.filter(({ msg }) => msg === 'request failed')).toHaveLength(1);
    socket.write('GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await expect.poll(received).toContain('404 Not Found');
  });
});
