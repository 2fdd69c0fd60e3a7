import { once } from 'node:events';
import { createConnection } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { measure } from '../../src/features/metrics/metrics.ts'; // feature: metrics
import { closeHttpServer, connectionsOf } from '../../src/http/http-server.ts';
import { handleOf, sessionKey, tagOf } from '../../src/session/session-id.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { commandsFor } from '../support/commands.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';
import { expectEnd, type Listener, listen } from './listener.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });
/** Another process on the same Redis. */
const other = await startApp({ redisAddress });
const { url, redis } = app;
const ann = () => signedIn(url);

/** A process that looks at its streams when the test lets a second pass. */
async function startTicking() {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'], now: Date.now() });
  const ticking = await startApp({ redisAddress });
  async function pass(seconds: number): Promise<void> {
    for (let passed = 0; passed < seconds; passed += 1) {
      vi.advanceTimersByTime(1000);
      // Over the connection of this process, and so behind what it has asked.
      await ticking.store.peek('end of a tick');
    }
  }
  const commandsWhile = (seconds: number) => commandsFor(redis, () => pass(seconds), [/end of a tick/]);
  return { url: ticking.url, pass, commandsWhile };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('a stream', () => {
  test('names the owner of the session, and leaves the session and its cookie as they are', async () => {
    const visitor = await signedIn(url, 'left@example.com');
    const record = await redis.get(sessionKey(visitor.sessionId));
    const { status, headers, owners } = await listen(url, visitor);
    expect([status, owners()]).toEqual([200, [tagOf('left@example.com')]]);
    expect(headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    expect(headers['set-cookie']).toBeUndefined();
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(await redis.get(sessionKey(visitor.sessionId))).toBe(record);
  });

  test('ends at once for a browser without a session, with a forged cookie or with an ended session', async () => {
    const [ended, forger] = [await ann(), await ann()];
    await ended.copy().post('/logout');
    forger.cookies.set('session', `${forger.cookies.get('session')}x`);
    for (const visitor of [new Visitor(url), forger, ended]) {
      const listener = await listen(url, visitor);
      expect(listener.owners()).toEqual(['nobody']);
      await expect.poll(listener.isOpen).toBe(false);
    }
  });

  test('costs Redis one command when it is opened, and none while nothing happens', async () => {
    const ticking = await startTicking();
    const visitor = await signedIn(ticking.url);
    expect(await commandsFor(redis, () => listen(ticking.url, visitor))).toEqual({ get: '1' });
    expect(await ticking.commandsWhile(25)).toEqual({});
  });

  test('is not for the pages of other sites', async () => {
    const visitor = await ann();
    const status = async (headers: Record<string, string>) => (await listen(url, visitor, headers)).status;
    expect(await status({ 'Sec-Fetch-Site': 'same-site' })).toBe(403);
    expect(await status({ 'Sec-Fetch-Site': 'cross-site' })).toBe(403);
    expect(await status({ 'Sec-Fetch-Site': 'same-origin' })).toBe(200);
  });

  test('is not opened by HEAD', async () => {
    const own = await startApp({ redisAddress });
    const before = own.server.maxConnections;
    const visitor = await signedIn(own.url);
    expect((await visitor.get('/session-events', { method: 'HEAD' })).status).toBe(200);
    expect(own.server.maxConnections).toBe(before);
  });

  test('is offered to pages that are signed in, and to no others', async () => {
    const script = 'live-tabs/live-tabs.js';
    expect((await (await ann()).get('/')).text).toContain(script);
    expect((await new Visitor(url).get('/')).text).not.toContain(script);
  });
});

test('a stream is one line of the log, and no request of the metrics', async () => {
  const own = await startApp({ redisAddress });
  const registry = measure(() => false); // feature: metrics
  const listener = await listen(own.url, await signedIn(own.url));
  // feature: request-log
  const lines = () => own.logged().filter(({ msg, path }) => msg === 'request' && path === '/session-events');
  expect(lines()).toEqual([]);
  // end: request-log
  listener.leave();
  // feature: request-log
  await expect.poll(lines).toMatchObject([{ aborted: true }]);
  // end: request-log
  await signedIn(own.url, 'bob@example.com').then((bob) => bob.post('/logout'));
  // feature: request-log
  expect(lines()).toHaveLength(1);
  // end: request-log
  // feature: metrics
  const counted = await registry.metrics();
  expect(counted).toMatch(/latchkey_request_seconds_count\{[^}]*route="\/logout"[^}]*\} [1-9]/);
  expect(counted).not.toContain('session-events');
  // end: metrics
});

describe('a stream says that its session has ended', () => {
  const others = (visitor: Visitor) => visitor.post('/admin/end-other-sessions');
  test.each<[string, (visitor: Visitor) => Promise<unknown>]>([
    ['by a logout in another tab', (visitor) => visitor.copy().post('/logout')],
    ['by a logout at another process', (visitor) => visitor.copy(other.url).post('/logout')],
    ['by a new sign-in of the same browser', (visitor) => visitor.copy().signIn('ann@example.com')],
    [
      'from the list',
      async (visitor) => (await ann()).post('/admin/end-session', { form: { session: handleOf(visitor.sessionId) } }),
    ],
    ['with all others, at another process', async () => others((await ann()).copy(other.url))],
  ])('%s', async (_how, end) => {
    const visitor = await ann();
    const [here, there] = [await listen(url, visitor), await listen(other.url, visitor)];
    await end(visitor);
    await Promise.all([expectEnd(here), expectEnd(there)]);
  });

  test('and goes on for another session of the same address', async () => {
    const [ending, staying] = [await ann(), await ann()];
    const listener = await listen(url, staying);
    const ended = await listen(url, ending);
    await ending.post('/logout');
    await expectEnd(ended);
    expect([listener.isOpen(), listener.owners()]).toEqual([true, [tagOf('ann@example.com')]]);
  });

  test('when the address signs in more often than SESSIONS_PER_ADDRESS allows', async () => {
    const few = await startApp({ redisAddress, env: { SESSIONS_PER_ADDRESS: '1' } });
    const email = 'often@example.com';
    const listener = await listen(url, await signedIn(url, email));
    await signedIn(few.url, email);
    await expectEnd(listener, email);
  });

  test.each([
    ['idle', 30, false],
    ['absolute', 8 * 60, true],
  ])('by its %s limit', async (_which, minutes, isUsed) => {
    const { url, pass } = await startTicking();
    const before = await signedIn(url);
    const signedInAt = Date.now() + 10_000;
    vi.setSystemTime(signedInAt);
    const visitor = await signedIn(url);
    const [earlier, listener] = [await listen(url, before), await listen(url, visitor)];
    for (let passed = 0; isUsed && passed < minutes; passed += 20) {
      vi.setSystemTime(signedInAt + passed * 60_000);
      for (const user of [before, visitor]) expect((await user.get('/')).text).toContain('You are signed in');
    }
    vi.setSystemTime(signedInAt + minutes * 60_000 - 5000);
    await pass(2);
    await expectEnd(earlier);
    expect(listener.isOpen()).toBe(true);
    await pass(4);
    await expectEnd(listener);
  });

  test('not at its idle limit while it is used elsewhere', async () => {
    const { url, commandsWhile } = await startTicking();
    const visitor = await signedIn(url);
    const listener = await listen(url, visitor);
    vi.setSystemTime(Date.now() + 29 * 60_000);
    await visitor.copy(other.url).get('/');
    vi.setSystemTime(Date.now() + 2 * 60_000);
    expect(await commandsWhile(5)).toEqual({ get: '1' });
    expect([listener.isOpen(), listener.owners()]).toEqual([true, [tagOf('ann@example.com')]]);
  });
});

test('a message reveals neither the session nor the address', async () => {
  const messages: string[] = [];
  const reader = redis.duplicate();
  await reader.connect();
  await reader.pSubscribe('*', (message) => messages.push(message));
  for (const visitor of [await ann(), await ann()]) await visitor.post('/logout');
  await expect.poll(() => messages.length).toBe(2);
  reader.destroy();
  for (const message of messages) expect(message).toMatch(/^[\da-f]{40}$/);
  expect(messages[0]).not.toBe(messages[1]);
});

test('an end costs the same one call to Redis as without streams', async () => {
  const visitor = await ann();
  const calls = { get: '1', eval: '1', del: '1', zrem: '1', publish: '1' };
  expect(await commandsFor(redis, () => visitor.post('/logout'))).toEqual(calls);
});

describe('a connection with several requests in flight', () => {
  async function connectTo({ url }: typeof app) {
    const socket = createConnection({ port: Number(new URL(url).port), host: '127.0.0.1' });
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
    });
    return { socket, text: () => text };
  }
  const request = (visitor: Visitor) =>
    `GET /session-events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${visitor.cookieHeader}\r\n\r\n`;

  test('has one stream, and leaves nothing behind', async () => {
    const own = await startApp({ redisAddress });
    const before = own.server.maxConnections;
    const { socket, text } = await connectTo(own);
    const visitor = await ann();
    socket.write(request(visitor).repeat(2));
    await expect.poll(text).toContain('data: ');
    // The second one has been looked at by then.
    await listen(own.url, await ann());
    expect(own.server.maxConnections).toBe(before + 2);
    socket.destroy();
    await expect.poll(() => own.server.maxConnections).toBe(before + 1);
  });

  // feature: connection-limits
  test('gets no refusal of a malformed request in the middle of a stream', async () => {
    const { socket, text } = await connectTo(app);
    socket.write(request(await ann()));
    await expect.poll(text).toContain('data: ');
    const closed = once(socket, 'close');
    socket.write('no request at all\r\n\r\n');
    await closed;
    expect(text().match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
  // end: connection-limits
});

describe('the number of streams is limited', () => {
  test('for each session: the oldest is closed, and claims nothing', async () => {
    const visitor = await ann();
    const listeners: Listener[] = [];
    for (let count = 0; count < 5; count += 1) listeners.push(await listen(url, visitor));
    await expect.poll(() => listeners.map(({ isOpen }) => isOpen())).toEqual([false, true, true, true, true]);
    expect(listeners[0]?.owners()).toEqual([tagOf('ann@example.com')]);
  });

  test('fairly: a stolen cookie takes no stream from its owner, who is elsewhere', async () => {
    const proxied = await startApp({ redisAddress, env: { BASE_URL: 'http://127.0.0.1', TRUST_PROXY: '1' } });
    const from = (ip: string) => ({ 'X-Forwarded-For': ip, 'X-Forwarded-Proto': 'http' });
    const visitor = await signedIn(proxied.url, 'ann@example.com', from('192.0.2.1'));
    const listener = await listen(proxied.url, visitor, from('192.0.2.1'));
    const stolen: Listener[] = [];
    for (let count = 0; count < 8; count += 1) {
      stolen.push(await listen(proxied.url, visitor, from('198.51.100.1')));
    }
    const open = [...Array(5).fill(false), ...Array(3).fill(true)];
    await expect.poll(() => stolen.map(({ isOpen }) => isOpen())).toEqual(open);
    expect(listener.isOpen()).toBe(true);
    const second = await listen(proxied.url, visitor, from('192.0.2.1'));
    await expect.poll(() => stolen.filter(({ isOpen }) => isOpen()).length).toBe(2);
    expect([listener.isOpen(), second.isOpen()]).toEqual([true, true]);
  });

  test('and a closed one takes up no connection, even if its browser keeps its half open', async () => {
    const visitor = await ann();
    const { port } = new URL(url);
    const stubborn = createConnection({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
    stubborn.write(`GET /session-events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${visitor.cookieHeader}\r\n\r\n`);
    await once(stubborn, 'data');
    const local = stubborn.localPort;
    const isConnected = () => [...connectionsOf(app.server)].some(({ remotePort }) => remotePort === local);
    expect(isConnected()).toBe(true);
    await visitor.post('/logout');
    await expect.poll(isConnected).toBe(false);
    stubborn.destroy();
  });

  test('for each process: further browsers are asked to come back later, and pages keep all their connections', async () => {
    const small = await startApp({ redisAddress, env: { LIVE_TABS_MAX: '2' } });
    const before = small.server.maxConnections;
    const [first] = [await listen(small.url, await ann()), await listen(small.url, await ann())];
    const refused = await listen(small.url, await ann());
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '60']);
    expect(small.server.maxConnections).toBe(before + 2);
    first.leave();
    await expect.poll(() => small.server.maxConnections).toBe(before + 1);
    expect((await listen(small.url, await ann())).status).toBe(200);
  });

  test('to none while pages need nine tenths of their connections', async () => {
    const full = await startApp({ redisAddress });
    const visitor = await ann();
    full.server.maxConnections = 1;
    expect((await listen(full.url, visitor)).status).toBe(503);
    full.server.maxConnections = 10;
    expect((await listen(full.url, visitor)).status).toBe(200);
  });

  test('and with LIVE_TABS_MAX=0 there is nothing of them in a page', async () => {
    const without = await startApp({ redisAddress, env: { LIVE_TABS_MAX: '0' } });
    expect((await (await signedIn(without.url)).get('/')).text).not.toContain('live-tabs');
    expect((await listen(without.url, await ann())).status).toBe(404);
  });
});

test('a shutdown closes streams at once, and they claim nothing', async () => {
  const closing = await startApp({ redisAddress });
  const visitor = await ann();
  const listener = await listen(closing.url, visitor);
  // It would wait for open requests for 5 s, and then cut them off.
  expect(await closeHttpServer(closing.server)).toBe(0);
  await expect.poll(listener.isOpen).toBe(false);
  expect(listener.owners()).toEqual([tagOf('ann@example.com')]);
  expect((await visitor.get('/')).text).toContain('You are signed in');
});
