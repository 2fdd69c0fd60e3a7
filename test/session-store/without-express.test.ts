import { once } from 'node:events';
import { createServer, type IncomingMessage, request, ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import { expect, test } from 'vitest';
import {
  currentEmail,
  requireLogin,
  SessionStore,
  saveSession,
  sessions,
  signIn,
} from '../../src/features/session-store/index.ts';
import { sessionKey } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectNode, testSecret } from '../support/app.ts';
import { listenLocally } from '../support/servers.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';
import { limits, startPlainApp } from './plain-app.ts';

// Named so that it doesn't contradict what a fork declares.
declare module 'express-session' {
  interface SessionData {
    testCalls?: number;
  }
}

const redis = await connectNode(await testRedis());
const pages = await startPlainApp({ redis }, (app) => {
  app.post('/login', async (req, res) => {
    await signIn(req, address('ann@example.com'), { remember: true });
    res.redirect(303, '/');
  });
  app.use(requireLogin);
});
const [loadSession] = sessions({ store: new SessionStore({ redis, limits, https: false }), secrets: [testSecret] });

/** Runs the first step of the middleware, as docs/session-store.md has it where there is no Express. */
function load(req: IncomingMessage, res: object): Promise<Request> {
  return new Promise((done, fail) => {
    loadSession(req as Request, res as Response, (error) => (error ? fail(error) : done(req as Request)));
  });
}

/** What those who accept WebSockets hand over as a response. */
const responses: Record<string, (req: IncomingMessage) => object> = {
  nothing: () => ({}),
  "Node's own": (req) => new ServerResponse(req),
  "Socket.IO's": () => ({ setHeader() {}, getHeader() {}, removeHeader() {}, writeHead() {}, write() {}, end() {} }),
};

/** A server that answers upgrades with the address of their visitors. */
async function startSockets(responseTo: (req: IncomingMessage) => object): Promise<string> {
  const server = createServer();
  server.on('upgrade', async (req, socket) => {
    try {
      const loaded = await load(req, responseTo(req));
      loaded.session.testCalls = (loaded.session.testCalls ?? 0) + 1;
      await saveSession(loaded);
      socket.end(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-Email: ${currentEmail(loaded)}\r\n\r\n`);
    } catch (error) {
      socket.end(`HTTP/1.1 401 Unauthorized\r\nX-Email: ${error instanceof Error ? error.message : ''}\r\n\r\n`);
    }
  });
  afterwards(() => new Promise((done) => server.close(done)));
  return listenLocally(server);
}

async function emailOf(url: string, visitor: Visitor): Promise<unknown> {
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket', Cookie: visitor.cookieHeader };
  const asked = request(url, { headers }).end();
  const [{ headers: answered }] = await Promise.race([once(asked, 'upgrade'), once(asked, 'response')]);
  return answered['x-email'];
}

test.each(Object.entries(responses))(
  'an upgrade has the session, with a response that is %s',
  async (_, responseTo) => {
    const url = await startSockets(responseTo);
    const visitor = new Visitor(pages);
    await visitor.signIn('any');
    const key = sessionKey(visitor.sessionId);
    expect(await emailOf(url, visitor)).toBe('ann@example.com');
    // A touch is due, and with it a later cookie, which an upgrade has no way to send.
    const before = (await redis.get(key)) ?? '';
    const lastSeen = (Math.floor(Date.now() / 1000) - 3600).toString(16);
    await redis.setRange(key, 0, lastSeen);
    expect(await emailOf(url, visitor)).toBe('ann@example.com');
    expect(Number.parseInt((await redis.get(key)) ?? '', 16)).toBeGreaterThanOrEqual(Number.parseInt(before, 16));
    expect(await redis.get(key)).toMatch(/\{"testCalls":2\}$/);
    expect(await emailOf(url, new Visitor(pages))).toBe('Please login first.');
  },
);
