import express from 'express';
import { expect, test } from 'vitest';
import { listPreloaded, tuneSessions } from '../../src/features/performance/performance.ts';
import { closeHttpServer, createHttpServer } from '../../src/http/http-server.ts';
import { giveRequestId } from '../../src/middleware/request-id.ts';
import type { SessionRedis } from '../../src/session/commands.ts';
import { type SessionsOptions, sessions } from '../../src/session/middleware.ts';
import { afterwards } from '../support/afterwards.ts';
import { startApp, testSecret } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { commandsFor } from '../support/commands.ts';
import { gate, newStore } from '../support/fork.ts';
import { listenLocally } from '../support/servers.ts';
import { Visitor } from '../support/visitor.ts';

const app = await startApp();
const secrets: SessionsOptions['secrets'] = [testSecret];

test('the list of sessions is requested together with the session, in one round trip', async () => {
  const here = await signedIn(app.url);
  const asked = gate();
  // Redis answers about the session only once the list has been requested.
  const redis: SessionRedis = {
    async get(key) {
      await asked.opened;
      return app.redis.get(key);
    },
    eval(script, options) {
      asked.open();
      return app.redis.eval(script, options);
    },
  };
  const store = newStore(redis);
  const fork = express();
  fork.use(giveRequestId, sessions({ store, secrets, wrapLoading: tuneSessions({ store, secrets }, '/list') }));
  fork.get('/list', async (req, res) => void res.json(await listPreloaded(req, store.index)));
  const server = createHttpServer(fork);
  afterwards(() => closeHttpServer(server));
  const url = await listenLocally(server);

  const { status, text } = await here.copy(url).get('/list');
  expect([status, JSON.parse(text)]).toMatchObject([200, [{ lastSeenAt: expect.any(Number) }]]);
  expect((await new Visitor(url).get('/list')).text).toBe('[]');
  expect(await commandsFor(app.redis, () => here.get('/admin'))).toMatchObject({ eval: '1', zrange: '1' });
});
