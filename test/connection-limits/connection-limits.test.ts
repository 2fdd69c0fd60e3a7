import { once } from 'node:events';
import type { Server } from 'node:http';
import express from 'express';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { limitConnections } from '../../src/features/connection-limits/connection-limits.ts';
import { closeHttpServer, createHttpServer } from '../../src/http/http-server.ts';
import { connect } from '../support/process.ts';
import { listenLocally } from '../support/servers.ts';

const app = express();
app.get('/', (req, res) => {
  res.type('text').send(`${req.path} for ${req.get('X-Name')}`);
});
app.post('/', (req, res) => {
  req.resume().once('end', () => res.send('read'));
});
app.post('/half', (_req, res) => {
  res.write('half of it');
});
app.get('/later', async (_req, res) => {
  await new Promise((done) => setImmediate(done));
  res.send('later');
});

function createServer(options: { maxConnections?: number } = {}): Server {
  const server = Object.assign(createHttpServer(app), options);
  limitConnections(server, (_req, res, next) => {
    res.setHeader('X-Every', 'response');
    next();
  });
  return server;
}

describe('a request', async () => {
  const server = createServer();
  const url = await listenLocally(server);
  afterAll(() => closeHttpServer(server));

  // Without a limit, 15 kB of Accept cost 2.4 ms, and 15 kB of X-Forwarded-For or Range about one.
  test.each([
    ...['Accept', 'Accept-Charset', 'Accept-Encoding', 'Accept-Language', 'Cache-Control', 'Content-Type', 'Forwarded'],
    ...['If-Match', 'If-Modified-Since', 'If-None-Match', 'If-Range', 'If-Unmodified-Since', 'Range'],
    ...['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto'],
  ])('refuses more than 1024 characters of %s, which a library would split into parts', async (name) => {
    for (const value of ['a,'.repeat(512), 'x'.repeat(1024)]) {
      expect(await (await fetch(url, { headers: { [name]: value } })).text()).toContain('/ for ');
      for (const lines of [`${name}: ${value},`, `${name.toUpperCase()}:${value}x`]) {
        const { status, body } = await refusalOf(url, lines);
        expect({ lines, status, body }).toEqual({
          lines,
          status: 431,
          body: expect.stringContaining(name.toLowerCase()),
        });
      }
    }
    // Node keeps only the first of those that may be sent once, and joins the others.
    const twice = await fetchRaw(url, `${name}: ${'x'.repeat(600)}\r\n${name}: ${'y'.repeat(600)}`);
    const isSentOnce = /^(?:Content-Type|If-Modified-Since|If-Unmodified-Since)$/.test(name);
    expect(twice).toMatch(isSentOnce ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 431 /);
  });

  test('leaves room for headers that nobody splits: cookies, credentials, whatever proxies add', async () => {
    for (const name of ['Cookie', 'Authorization', 'Referer', 'X-Forwarded-Client-Cert', 'Baggage']) {
      expect((await fetch(url, { headers: { [name]: 'x'.repeat(8000) } })).status).toBe(200);
    }
  });

  test('answers a connection that is too slow with 408 and the headers of every response', async () => {
    const slow = createServer();
    onTestFinished(async () => void (await closeHttpServer(slow)));
    slow.headersTimeout = 1;
    const slowUrl = await listenLocally(slow);
    const starts = ['', 'GET / HTTP/1.1\r\nHost: x\r\n'];
    for (const { received, closed } of await Promise.all(starts.map((start) => connect(slowUrl, start)))) {
      await closed;
      expect(received()).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n.*\r\nx-every: response\r\n.*\.\n$/s);
    }
  });

  test('writes nothing into an open response when the rest of its request is broken', async () => {
    const head = 'POST /half HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    const { received, socket, closed } = await connect(url, head);
    await expect.poll(received).toContain('half of it');
    socket.write('not a chunk\r\n');
    await closed;
    expect(received().match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});

async function fetchRaw(url: string, lines: string): Promise<string> {
  const { received, closed } = await connect(url, `GET / HTTP/1.1\r\nHost: x\r\n${lines}\r\nConnection: close\r\n\r\n`);
  await closed;
  return received();
}

async function refusalOf(url: string, lines: string): Promise<{ status: number; body: string }> {
  const received = await fetchRaw(url, lines);
  return { status: Number(received.slice(9, 12)), body: received.slice(received.indexOf('\r\n\r\n') + 4) };
}

test('a full server closes idle connections to make room, but none with an open request', async () => {
  const server = createServer({ maxConnections: 20 });
  const url = await listenLocally(server);
  onTestFinished(() => void closeHttpServer(server));
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

test('a server that fills up again immediately still lets newcomers in', async () => {
  const server = createServer({ maxConnections: 20 });
  const url = await listenLocally(server);
  onTestFinished(() => void closeHttpServer(server));
  for (let round = 0; round < 2; round += 1) await Promise.all(Array.from({ length: 20 }, () => connect(url)));
  await expect.poll(async () => (await fetch(url).catch(() => undefined))?.status, { timeout: 5000 }).toBe(200);
});

test('closed connections are forgotten: newcomers evict nobody while there is room', async () => {
  const server = createServer({ maxConnections: 20 });
  const url = await listenLocally(server);
  onTestFinished(() => void closeHttpServer(server));
  const kept = await connect(url, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const silent = await connect(url);
  for (let visitor = 1; visitor <= 50; visitor += 1) {
    const { socket, closed } = await connect(url);
    socket.end('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await closed;
  }
  for (const { socket, received } of [kept, silent]) {
    const before = received().length;
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(() => received().slice(before)).toContain('200 OK');
  }
});

test('a full server looks for idle connections once a second, however many newcomers there are', async () => {
  const server = createServer({ maxConnections: 5 });
  const url = await listenLocally(server);
  onTestFinished(() => void closeHttpServer(server));
  vi.useFakeTimers({ toFake: ['Date'], now: 10_000 });
  onTestFinished(() => void vi.useRealTimers());
  const closeIdle = vi.spyOn(server, 'closeIdleConnections');
  const post = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na';
  for (let busy = 1; busy <= 5; busy += 1) {
    const arrived = once(server, 'request');
    await connect(url, post);
    await arrived;
  }
  for (let newcomer = 1; newcomer <= 25; newcomer += 1) await (await connect(url, post)).closed;
  expect(closeIdle).toHaveBeenCalledTimes(1);
  vi.setSystemTime(11_000);
  await (await connect(url)).closed;
  expect(closeIdle).toHaveBeenCalledTimes(2);
  // Also once a clock has been set back.
  vi.setSystemTime(5000);
  await (await connect(url)).closed;
  expect(closeIdle).toHaveBeenCalledTimes(3);
});

test('a connection may pipeline ten requests, and is cut off at the eleventh', async () => {
  const server = createServer();
  const url = await listenLocally(server);
  onTestFinished(() => void closeHttpServer(server));
  const request = 'GET /later HTTP/1.1\r\nHost: x\r\n\r\n';
  const ten = await connect(url, request.repeat(11));
  await expect.poll(() => ten.received().match(/200 OK/g)).toHaveLength(11);
  const eleven = await connect(url, request.repeat(12));
  await eleven.closed;
  expect(eleven.received()).toBe('');
});

test('pipelined requests are counted per connection', async () => {
  const server = createServer();
  const url = await listenLocally(server);
  onTestFinished(() => void closeHttpServer(server));
  const twoRequests = 'GET /?1 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2);
  const many = await Promise.all(Array.from({ length: 30 }, () => connect(url, twoRequests)));
  for (const { received } of many) await expect.poll(() => received().match(/200 OK/g)).toHaveLength(2);
  const [one] = many;
  for (let pairs = 2; pairs <= 20; pairs += 1) {
    one?.socket.write(twoRequests);
    await expect.poll(() => one?.received().match(/200 OK/g)).toHaveLength(2 * pairs);
  }
});
