import express, { type Express } from 'express';
import { readConfig } from '../../src/config.ts';
import { addMaxAge } from '../../src/features/cookie-max-age/cookie-max-age.ts'; // feature: cookie-max-age
import { closeHttpServer, createHttpServer } from '../../src/http/http-server.ts';
import { createLogger } from '../../src/log.ts';
import { type ErrorPageOptions, errorPage } from '../../src/middleware/errors.ts';
import { giveRequestId } from '../../src/middleware/request-id.ts';
import type { NodeClient } from '../../src/redis/node.ts';
import type { SessionRedis } from '../../src/session/commands.ts';
import { sessions } from '../../src/session/middleware.ts';
import { SessionStore, type SessionStoreOptions } from '../../src/session/store.ts';
import { afterwards } from './afterwards.ts';
import { testSecret } from './app.ts';
import { listenLocally } from './servers.ts';

const config = readConfig({ NODE_ENV: 'test' });
const log = createLogger('silent');

type StoreOptions = Partial<Omit<SessionStoreOptions, 'redis'>>;

/** A session store as the app has it, on this connection. */
export function newStore(redis: SessionRedis, options: StoreOptions = {}): SessionStore {
  return new SessionStore({
    redis,
    limits: config.sessionLimits,
    sessionsPerAddress: config.sessionsPerAddress,
    https: false,
    isAllowed: () => true,
    log,
    noteOutage() {},
    ...options,
  });
}

/**
 * What somebody who forks Latchkey would add: pages of their own behind the same sessions. It accepts the
 * cookies of `startApp()` on the same Redis.
 */
export async function startFork(
  redis: SessionRedis,
  addRoutes: (app: Express) => void,
  { extendStep, ...options }: Pick<ErrorPageOptions, 'extendStep'> & StoreOptions = {},
): Promise<string> {
  const app = express();
  app.use(giveRequestId);
  app.use(addMaxAge); // feature: cookie-max-age
  app.use(sessions({ store: newStore(redis, options), secrets: [testSecret] }));
  addRoutes(app);
  app.use(errorPage({ log, noteOutage() {}, ...(extendStep && { extendStep }) }));
  const server = createHttpServer(app);
  afterwards(() => closeHttpServer(server));
  return listenLocally(server);
}

/** Something that one side waits for and the other lets happen. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => {};
  const opened = new Promise<void>((done) => {
    open = done;
  });
  return { opened, open };
}

/** All keys of this Redis, which no request may ever ask for, but those of limits (`l:`) and of what the operator may look up (`h:`). */
export async function allKeys(redis: NodeClient): Promise<string[]> {
  return (await redis.keys('*')).filter((key) => !/^[hl]:/.test(key)).sort();
}
