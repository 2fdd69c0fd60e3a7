import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { announceClosing, closeHttpServer, createHttpServer } from '../../src/http/http-server.ts';
import { startApp } from '../support/app.ts';
import { connect } from '../support/process.ts';

const nodeMajor = Number(process.versions.node.split('.')[0]);

const app = express();
app.get('/', (req, res) => {
  res.type('text').send(`${req.path} for ${req.get('X-Name')}`);
});
app.post('/', (req, res) => {
  req.resume().once('end', () => res.send('read'));
});

async function listen(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the HTTP server', async () => {
  const server = createHttpServer(app);
  const url = await listen(server);
  afterAll(() => closeHttpServer(server));

  test('below Node 24 constructs requests and responses with the prototypes of the app', async () => {
    let constructed: boolean[] = [];
    server.prependOnceListener('request', (req, res) => {
      constructed = [req, res].map((made, index) => {
        return Object.getPrototypeOf(made) === [app.request, app.response][index];
      });
    });
    await fetch(url);
    expect(constructed).toEqual(nodeMajor < 24 ? [true, true] : [false, false]);
  });

  test('serves Express on any version, bodies and kept connections included', async () => {
    const answer = await fetch(url, { headers: { 'X-Name': 'Ann' } });
    expect(await answer.text()).toBe('/ for Ann');
    expect(await (await fetch(url, { method: 'POST', body: 'x'.repeat(100_000) })).text()).toBe('read');
    const twice = await connect(url, 'GET /?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /?2 HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(() => twice.received().match(/200 OK/g)).toHaveLength(2);
    twice.socket.destroy();
  });

  test('limits how long and how large a request may be', async () => {
    expect(server).toMatchObject({
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      keepAliveTimeout: 65_000,
      timeout: 15_000,
      maxHeadersCount: 101,
      maxConnections: 10_000,
    });
    const tooLarge = await connect(url, `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(17_000)}\r\n\r\n`);
    await tooLarge.closed;
    expect(tooLarge.received()).toMatch(/^HTTP\/1\.1 431 /);
  });
});

test('a full server closes idle connections to make room, and none whose request is under way', async () => {
  const server = createHttpServer(app, { maxConnections: 20 });
  const url = await listen(server);
  afterAll(() => closeHttpServer(server));
  const open = await connect(url, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na');
  const kept = Array.from({ length: 10 }, () => connect(url, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
  for (const { received } of await Promise.all(kept)) await expect.poll(received).toContain('200 OK');
  const silent = await Promise.all(Array.from({ length: 8 }, () => connect(url)));
  const newcomer = await connect(url, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await Promise.all([...(await Promise.all(kept)), ...silent].map(({ closed }) => closed));
  await expect.poll(newcomer.received).toContain('200 OK');
  open.socket.write('b');
  await expect.poll(open.received).toMatch(/200 OK[\s\S]*read$/);
  open.socket.destroy();
});

test('a server that is full again at once still lets newcomers in', async () => {
  const server = createHttpServer(app, { maxConnections: 20 });
  const url = await listen(server);
  afterAll(() => closeHttpServer(server));
  for (let round = 0; round < 2; round += 1) await Promise.all(Array.from({ length: 20 }, () => connect(url)));
  await expect.poll(async () => (await fetch(url).catch(() => undefined))?.status, { timeout: 5000 }).toBe(200);
});

test('only what one connection sends ahead counts against it', async () => {
  const server = createHttpServer(app);
  const url = await listen(server);
  afterAll(() => closeHttpServer(server));
  const twoRequests = 'GET /?1 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2);
  const many = await Promise.all(Array.from({ length: 30 }, () => connect(url, twoRequests)));
  for (const { received } of many) await expect.poll(() => received().match(/200 OK/g)).toHaveLength(2);
  const [one] = many;
  for (let pairs = 2; pairs <= 20; pairs += 1) {
    one?.socket.write(twoRequests);
    await expect.poll(() => one?.received().match(/200 OK/g)).toHaveLength(2 * pairs);
  }
});

// Express-session leaves a path out that does not begin with a slash, and every page counts on a session.
test.each(['*', '*x', '**/..', '*?x=%'])('a target that is no path, %j, gets a page', async (target) => {
  const { url } = await startApp();
  for (const method of ['GET', 'OPTIONS', 'POST']) {
    const head = `${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    const { received, closed } = await connect(url, head);
    await closed;
    expect(received()).toMatch(/^HTTP\/1.1 [24]\d\d /);
  }
});

test('who keeps a connection is told when it will be closed', async () => {
  const server = createHttpServer(app);
  const url = await listen(server);
  afterAll(() => closeHttpServer(server));
  expect((await fetch(url)).headers.get('Connection')).toBe('keep-alive');
  announceClosing(server);
  expect((await fetch(url)).headers.get('Connection')).toBe('close');
});

describe('closing', () => {
  test('resolves at once when the server never listened', async () => {
    expect(await closeHttpServer(createHttpServer(app))).toBe(0);
  });

  test('waits for the request that is under way, and for no other connection', async () => {
    const server = createHttpServer(app);
    const url = await listen(server);
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
});
