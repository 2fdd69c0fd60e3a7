import { once } from 'node:events';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import express from 'express';
import request from 'supertest';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { requestLog } from '../../src/features/request-log/request-log.ts';
import { closeHttpServer, createHttpServer } from '../../src/http/http-server.ts';
import { createLogger } from '../../src/log.ts';
import { handleOf } from '../../src/session/session-id.ts';
import { startApp } from '../support/app.ts';
import { ask, type Method } from '../support/client.ts';
import { connect as connectTo } from '../support/process.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { listenLocally } from '../support/servers.ts';
import { Visitor } from '../support/visitor.ts';

const { url, server, logged } = await startApp();

/** The line of the only request for a path; it is written once the connection is done with the response. */
async function lineOf(path: string): Promise<Record<string, unknown>> {
  return vi.waitFor(() => {
    const lines = logged().filter((line) => line.path === path);
    expect(lines).toHaveLength(1);
    return lines[0] ?? {};
  }, 10_000);
}

describe('a request', () => {
  test.each<[Method, string, number]>([
    ['get', '/nowhere/1', 404],
    ['head', '/nowhere/2', 404],
    ['post', '/nowhere/3', 404],
    ['get', '/admin/4', 401],
    ['get', '/%zz', 400],
  ])('leaves one line: %s %s %i', async (method, path, status) => {
    await ask(url, method, path);
    expect(await lineOf(path)).toEqual({
      level: 30,
      time: expect.any(Number),
      ...{ pid: process.pid, host: hostname() },
      id: expect.stringMatching(/^[\da-f]{19}$/),
      method: method.toUpperCase(),
      path,
      status,
      milliseconds: expect.any(Number),
      msg: 'request',
    });
  });

  test('that is refused because its body is compressed leaves one, too', async () => {
    await ask(url, 'post', '/nowhere/compressed').set('Content-Encoding', 'br').expect(415);
    expect(await lineOf('/nowhere/compressed')).toMatchObject({ status: 415, id: expect.any(String) });
  });

  test('leaves out the query, which may contain codes and addresses', async () => {
    const query = `query-${crypto.randomUUID()}`;
    keepOutOfLogs(query);
    await ask(url, 'get', `/nowhere/query?code=${query}`);
    await lineOf('/nowhere/query');
    expect(JSON.stringify(logged())).not.toContain(query);
  });

  test('leaves out every header', async () => {
    const value = `header-${crypto.randomUUID()}`;
    keepOutOfLogs(value);
    await ask(url, 'get', '/nowhere/headers').set({
      Cookie: `session=${value}`,
      Authorization: value,
      'X-Code': value,
    });
    await lineOf('/nowhere/headers');
    expect(JSON.stringify(logged())).not.toContain(value);
  });

  test.each([
    ['quotes', '"'],
    ['letters', 'a'],
    ['escapes', '%22'],
    ['slashes', '/'],
  ])('of 15 kB leaves a line of less than 1 kB, with the start of its path: %s', async (_, unit) => {
    const path = `/long/${unit.repeat(15_000 / unit.length)}`;
    const head = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    const { received, closed } = await connectTo(url, head);
    await closed;
    expect(received()).toMatch(/^HTTP\/1\.1 404 /);
    const line = await lineOf(`${path.slice(0, 200)}…`);
    expect(Buffer.byteLength(JSON.stringify(line))).toBeLessThan(1024);
  });

  test('cannot write a line of its own', async () => {
    const before = logged().length;
    await ask(url, 'get', '/nowhere/%0a{"level":60}');
    await expect.poll(() => logged()).toHaveLength(before + 1);
    expect(logged().at(-1)).toMatchObject({ level: 30, msg: 'request' });
  });

  test('whose client goes away early is marked as aborted', async () => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const arrived = once(server, 'request');
    socket.write(
      'POST /aborted HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    await arrived;
    socket.destroy();
    expect(await lineOf('/aborted')).toMatchObject({ aborted: true });
  });

  test('tells how long it took, to a tenth of a millisecond', async () => {
    const lines: Record<string, unknown>[] = [];
    let at = 1000;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => at);
    onTestFinished(() => clock.mockRestore());
    const app = express();
    app.use(requestLog(createLogger('info', { write: (line) => lines.push(JSON.parse(line)) })));
    app.get('/', (_req, res) => {
      at += 12.345;
      res.end();
    });
    await request(app).get('/');
    await expect.poll(() => lines).toMatchObject([{ milliseconds: 12.3 }]);
  });

  test('that is silent for too long leaves a warning, unless it is the visitor who is silent', async () => {
    const lines: Record<string, unknown>[] = [];
    const app = express();
    app.use(requestLog(createLogger('info', { write: (line) => lines.push(JSON.parse(line)) })));
    app.use((req, _res, next) => {
      req.setTimeout(50);
      next();
    });
    app.get('/slow', () => {});
    app.post('/upload', (req) => void req.resume());
    app.get('/begun', (_req, res) => void res.write('begun'));
    app.get('/unread', (_req, res) => void res.write('x'.repeat(20_000_000)));
    app.get('/own', (_req, res) => void res.setTimeout(10, () => res.end('too late')));
    const silent = createHttpServer(app);
    const silentUrl = await listenLocally(silent);
    onTestFinished(() => void closeHttpServer(silent));
    for (const path of ['/slow', '/begun', '/unread', '/own']) {
      const { closed, socket } = await connectTo(
        silentUrl,
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      );
      if (path === '/unread') socket.pause();
      else await closed;
    }
    const { closed } = await connectTo(
      silentUrl,
      'POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\na',
    );
    await closed;
    const requests = () => lines.filter(({ msg }) => msg === 'request');
    await expect.poll(requests).toHaveLength(5);
    const warnings = lines.filter(({ level }) => level === 40).map(({ path, msg }) => [path, msg]);
    const message = 'response cut off, since this page sent nothing for too long';
    expect(warnings).toEqual([
      ['/slow', message],
      ['/begun', message],
    ]);
    expect(requests().map(({ path, aborted }) => [path, aborted])).toEqual(
      expect.arrayContaining([
        ['/slow', true],
        ['/begun', true],
        ['/unread', true],
        ['/own', undefined],
        ['/upload', true],
      ]),
    );
  });

  test('has a unique id', async () => {
    await Promise.all(Array.from({ length: 20 }, () => ask(url, 'get', '/nowhere/many')));
    const lines = () => logged().filter(({ path }) => path === '/nowhere/many');
    await expect.poll(lines).toHaveLength(20);
    const ids = logged().flatMap(({ id, msg }) => (msg === 'request' ? [id] : []));
    expect(new Set(ids).size).toBe(ids.length);
  });
});

// ASVS 16.3.1
test('a visit from sign-in to log-out can be followed by the public handle of its session', async () => {
  const visitor = new Visitor(url);
  await visitor.post('/login', { form: { email: 'no address' } });
  await visitor.signIn('followed@example.com');
  const { sessionId } = visitor;
  await visitor.post('/logout');
  const events = logged().filter(({ msg }) => msg !== 'request');
  expect(events.map(({ msg, session }) => [msg, session])).toEqual([
    ['sign-in refused', undefined],
    ['signed in', handleOf(sessionId)],
    ['signed out', handleOf(sessionId)],
  ]);
  expect(JSON.stringify(logged())).not.toContain('followed@example.com');
});

describe('the id of a request', () => {
  const given = 'f3b1c2d4-0001-4c77-9d2e-0123456789ab';

  /** The id that a request gets which carries this one. */
  async function idFor(app: { url: string }, id: string): Promise<string> {
    const { headers, status } = await new Visitor(app.url).get('/nowhere', { headers: { 'X-Request-Id': id } });
    expect(status).toBe(404);
    return headers.get('X-Request-Id') ?? '';
  }

  test('is told to the client, and stands in the log', async () => {
    const { headers } = await new Visitor(url).get('/nowhere/told');
    expect(await lineOf('/nowhere/told')).toMatchObject({ id: headers.get('X-Request-Id') });
  });

  test('is the one that a trusted proxy gives, and nobody else', async () => {
    const behind = await startApp({ env: { TRUST_PROXY: '127.0.0.1' } });
    expect(await idFor(behind, given)).toBe(given);
    expect(await idFor(behind, '7F000001:9C4A_7F000001:1F90_692612A0_0001:0A3B')).toMatch(/^7F000001:/);
    expect(await idFor({ url }, given)).not.toBe(given);
    const elsewhere = await startApp({ env: { TRUST_PROXY: '192.0.2.1' } });
    expect(await idFor(elsewhere, given)).not.toBe(given);
  });

  test.each(['', 'short', 'x'.repeat(65), 'with blanks in it', '"},{"level":60', 'ümlaut-ümlaut', 'a,b,c,d,e'])(
    'is made anew in place of what a proxy should not give: %s',
    async (id) => {
      const behind = await startApp({ env: { TRUST_PROXY: '127.0.0.1' } });
      expect(await idFor(behind, encodeURI(id) === id ? id : 'y'.repeat(200))).toMatch(/^[\da-f]{19}$/);
    },
  );
});
