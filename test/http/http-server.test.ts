import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  announceClosing,
  closeHttpServer,
  closeIdleConnections,
  connectionsOf,
  createHttpServer,
  listen,
  portOf,
} from '../../src/http/http-server.ts';
import { startApp } from '../support/app.ts';
import { connect } from '../support/process.ts';
import { listenLocally } from '../support/servers.ts';
import { app, expectServed } from './express-tests.ts';

describe('the HTTP server', async () => {
  const server = createHttpServer(app);
  const url = await listenLocally(server);
  afterAll(() => closeHttpServer(server));

  test('serves Express on every version of Node, including bodies and kept connections', async () => {
    await expectServed(url);
  });

  test('limits how long and how large a request may be', async () => {
    expect(server).toMatchObject({
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      timeout: 15_000,
      maxConnections: 10_000,
    });
    const { received, socket } = await connect(
      url,
      `GET / HTTP/1.1\r\nHost: x\r\nCookie: ${'x'.repeat(16_000)}\r\n\r\n`,
    );
    await expect.poll(received).toContain('200 OK');
    socket.destroy();
    const tooLong = await connect(url, `GET / HTTP/1.1\r\nHost: x\r\nCookie: ${'x'.repeat(17_000)}\r\n\r\n`);
    await tooLong.closed;
    expect(tooLong.received()).toMatch(/^HTTP\/1\.1 431 /);
  });

  // Most proxies keep theirs for 60 s, and must be the ones that close.
  test('keeps connections longer than proxies do', async () => {
    expect((await fetch(url)).headers.get('Keep-Alive')).toBe('timeout=65');
  });
});

test.each<[string, RequestListener]>([
  ['an earlier listener has answered', (_req, res) => res.writeHead(429).end()],
  ['an earlier listener has cut off', (req) => req.socket.destroy()],
])('a request that %s does not reach the app', async (_what, refuse) => {
  const reached: unknown[] = [];
  const server = createHttpServer((req, res) => {
    reached.push(req.url);
    res.end();
  });
  const url = await listenLocally(server);
  onTestFinished(() => void closeHttpServer(server));
  const refusing = vi.fn(refuse);
  server.prependListener('request', refusing);
  const { closed } = await connect(url, 'GET /refused HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await closed;
  expect(refusing).toHaveBeenCalledOnce();
  expect(reached).toEqual([]);
});

test('a connection is known until it closes', async () => {
  const server = createHttpServer(app);
  const { socket } = await connect(await listenLocally(server));
  onTestFinished(() => void closeHttpServer(server));
  await expect.poll(() => connectionsOf(server).size).toBe(1);
  socket.destroy();
  await expect.poll(() => connectionsOf(server).size).toBe(0);
});

test('connections on which nothing ever arrived are closed, except the newcomer', async () => {
  const server = createHttpServer(app);
  const url = await listenLocally(server);
  onTestFinished(() => void closeHttpServer(server));
  const [silent, newcomer] = [await connect(url), await connect(url)];
  await expect.poll(() => connectionsOf(server).size).toBe(2);
  const { localPort } = newcomer.socket;
  const except = [...connectionsOf(server)].find(({ remotePort }) => remotePort === localPort);
  closeIdleConnections(server, except);
  await silent.closed;
  newcomer.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await expect.poll(newcomer.received).toContain('200 OK');
});

describe('listening', () => {
  test('on a port that is taken says so, and which setting helps', async () => {
    const first = createHttpServer(app);
    await listenLocally(first);
    onTestFinished(() => void closeHttpServer(first));
    const attempt = (prefix?: string) => listen(createHttpServer(app), portOf(first), '127.0.0.1', prefix);
    await expect(attempt()).rejects.toThrow(/EADDRINUSE.*\. Stop the other program, or set PORT\.$/);
    await expect(attempt('OTHER_')).rejects.toThrow(/or set OTHER_PORT\.$/);
  });

  test('on an address of another machine says which settings decide', async () => {
    const attempt = listen(createHttpServer(app), 0, '192.0.2.1');
    await expect(attempt).rejects.toThrow(/EADDRNOTAVAIL.*\. Set HOST and PORT to where this user may listen\.$/);
  });
});

// Express-session ignores a path that does not begin with a slash, and every page relies on a session.
test.each(['*', '*x', '**/..', '*?x=%'])('a target that is not a path, %j, still gets a page', async (target) => {
  const app = await startApp();
  for (const method of ['GET', 'OPTIONS', 'POST']) {
    const head = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    const { received, closed } = await connect(app.url, head);
    await closed;
    expect(received()).toMatch(/^HTTP\/1.1 404 /);
  }
  // feature: request-log
  const lines = () => app.logged().filter(({ msg }) => msg === 'request');
  await expect.poll(lines).toHaveLength(3);
  for (const { path } of lines()) expect(path).toMatch(/^\/\*/);
  // end: request-log
});

// Express answers by itself, without any of our headers, where it can't parse the target.
test.each([
  ['http://elsewhere.example/livez', 200],
  ['http://elsewhere.example?a=b', 200],
  ['foo://elsewhere.example/livez', 200],
  ['/livez#b', 200],
  ['http://elsewhere.example/nowhere', 404],
  ['http://[/livez', 404],
  ['http://[::1', 404],
  ['http://[a]b/livez', 404],
  ['//a@[#', 404],
])('the target %s gets a page, with the headers of every response', async (target, status) => {
  const { url } = await startApp();
  for (const method of ['GET', 'OPTIONS']) {
    const head = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    const { received, closed } = await connect(url, head);
    await closed;
    expect(received()).toMatch(new RegExp(`^HTTP/1.1 ${method === 'GET' || status === 404 ? status : 204} `));
    expect(received()).toContain("frame-ancestors 'none'");
    expect(received()).toMatch(status === 404 ? /^x-request-id: /im : /^/);
  }
});

test('clients that keep a connection are told that it will be closed', async () => {
  const server = createHttpServer(app);
  const url = await listenLocally(server);
  onTestFinished(() => void closeHttpServer(server));
  expect((await fetch(url)).headers.get('Connection')).toBe('keep-alive');
  announceClosing(server);
  expect((await fetch(url)).headers.get('Connection')).toBe('close');
});

describe('closing', () => {
  test('resolves immediately if the server never listened', async () => {
    expect(await closeHttpServer(createHttpServer(app))).toBe(0);
  });

  test('waits for the open request, and for no other connection', async () => {
    const server = createHttpServer(app);
    const url = await listenLocally(server);
    const silent = await connect(url);
    const kept = await connect(url, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(kept.received).toContain('200 OK');
    const open = await connect(url, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na');
    onTestFinished(() => void open.socket.destroy());
    let closed = false;
    const closing = closeHttpServer(server).then((cutOff) => {
      closed = true;
      return cutOff;
    });
    await Promise.all([silent.closed, kept.closed]);
    expect(closed).toBe(false);
    open.socket.write('b');
    expect(await closing).toBe(0);
    expect(open.received()).toMatch(/200 OK[\s\S]*read$/);
  });

  test('lets a connection bring its request that was only just opened, for half a second', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    // The clock of a process that has run for a while.
    vi.advanceTimersByTime(60_000);
    const server = createHttpServer(app);
    const url = await listenLocally(server);
    const [prompt, silent] = [await connect(url), await connect(url)];
    await expect.poll(() => connectionsOf(server).size).toBe(2);
    const announced = once(server, 'closing');
    const closing = closeHttpServer(server);
    await announced;
    vi.advanceTimersByTime(450);
    prompt.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(prompt.received).toContain('200 OK');
    vi.advanceTimersByTime(50);
    await Promise.all([prompt.closed, silent.closed]);
    expect(await closing).toBe(0);
  });

  test('cuts off a request that does not end, and counts it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const server = createHttpServer(app);
    const endless = await connect(
      await listenLocally(server),
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na',
    );
    await expect.poll(() => connectionsOf(server).size).toBe(1);
    const closing = closeHttpServer(server);
    vi.advanceTimersByTime(5000);
    expect(await closing).toBe(1);
    await endless.closed;
  });

  test('cuts off a WebSocket that nobody closes, and counts it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const server = createHttpServer(app);
    server.on('upgrade', (_req, socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'),
    );
    const upgrade = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    const open = await connect(await listenLocally(server), upgrade);
    onTestFinished(() => void open.socket.destroy());
    await expect.poll(open.received).toContain('101');
    const closing = closeHttpServer(server);
    vi.advanceTimersByTime(5000);
    expect(await closing).toBe(1);
    await open.closed;
  });
});
