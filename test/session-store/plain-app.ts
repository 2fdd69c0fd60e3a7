import { createServer } from 'node:http';
import express, { type Express } from 'express';
import {
  type SessionSecrets,
  SessionStore,
  type SessionStoreOptions,
  sessions,
} from '../../src/features/session-store/index.ts';
import { closeHttpServer } from '../../src/http/http-server.ts';
import { afterwards } from '../support/afterwards.ts';
import { testSecret } from '../support/app.ts';
import { listenLocally } from '../support/servers.ts';

export const limits = {
  ...{ idleSeconds: 1800, absoluteSeconds: 3600, rememberIdleSeconds: 7200, rememberAbsoluteSeconds: 9000 },
};

type Options = Pick<SessionStoreOptions, 'redis'> &
  Partial<SessionStoreOptions> & { trustProxy?: number | false; secrets?: SessionSecrets };

/** An Express app with nothing of Latchkey but the package's sessions. Returns its URL. */
export async function startPlainApp(
  { trustProxy = false, secrets = [testSecret], ...options }: Options,
  addRoutes: (app: Express) => void,
): Promise<string> {
  const app = express();
  app.set('trust proxy', trustProxy);
  app.use(express.urlencoded());
  app.use(sessions({ store: new SessionStore({ limits, https: false, ...options }), secrets }));
  addRoutes(app);
  const server = createServer(app);
  afterwards(() => closeHttpServer(server));
  return listenLocally(server);
}
