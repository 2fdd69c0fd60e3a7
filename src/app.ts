import { fileURLToPath } from 'node:url';
import bodyParser from 'body-parser';
import express, { type Express } from 'express';
import { assetUrl, staticFiles } from './assets.ts';
import type { Config, SessionSecrets } from './config.ts';
import type { Logger } from './log.ts';
import { knownBodiesOnly } from './middleware/bodies.ts';
import { allowOnly, errorPage, notFound } from './middleware/errors.ts';
import { requestLog } from './middleware/request-log.ts';
import { requireLogin } from './middleware/require-login.ts';
import { sameOrigin } from './middleware/same-origin.ts';
import { securityHeaders } from './middleware/security-headers.ts';
import { viewLocals } from './middleware/view-locals.ts';
import { deadlineMs, type RedisClient } from './redis.ts';
import { endOtherSessions, endSession, showAdmin } from './routes/admin.ts';
import { live, ready } from './routes/health.ts';
import { showHome } from './routes/home.ts';
import { logIn, showLogin } from './routes/login.ts';
import { followLogout, logOut } from './routes/logout.ts';
import { cookieAttributes } from './session/cookie.ts';
import { sessions } from './session/middleware.ts';
import { SessionStore } from './session/store.ts';
import { useEjs } from './views.ts';

export type AppParts = {
  config: Config;
  secrets: SessionSecrets;
  redis: RedisClient;
  log: Logger;
  /** Whether the process is about to stop, and wants no more visitors. */
  isClosing: () => boolean;
};

const publicDirectory = fileURLToPath(new URL('../public', import.meta.url));
const viewsDirectory = fileURLToPath(new URL('../views', import.meta.url));
const largestBody = '16kb';

/** The whole request path, top to bottom. Static files and health never touch a session. */
export function createApp({ config, secrets, redis, log, isClosing }: AppParts): Express {
  const https = config.origin?.startsWith('https:') ?? false;
  const reload = !config.production;
  const store = new SessionStore({
    redis,
    limits: config.sessionLimits,
    sessionsPerAddress: config.sessionsPerAddress,
    deadlineMs,
    cookie: cookieAttributes(https),
    log,
  });
  const admin = { directory: store.directory, limits: config.sessionLimits, log };

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag'); // Pages are not stored, so nobody could use it; static files have their own.
  app.set('trust proxy', config.trustProxy);
  app.locals.asset = assetUrl(publicDirectory, { reload });
  app.locals.trustsAddresses = config.signIn === 'trust';
  useEjs(app, { directory: viewsDirectory, reload });

  app.use(securityHeaders({ https }));
  app.use(staticFiles(publicDirectory));
  app.route('/livez').get(live).all(allowOnly('GET', 'HEAD'));
  app.route('/readyz').get(ready(redis, isClosing)).all(allowOnly('GET', 'HEAD'));

  app.use(requestLog(log));
  app.use(bodyParser.urlencoded({ extended: false, limit: largestBody, parameterLimit: 50 }));
  app.use(bodyParser.json({ limit: largestBody }));
  app.use(knownBodiesOnly);
  app.use(sessions({ store, secrets, https, log }));
  app.use(viewLocals);
  app.use(sameOrigin(config.origin));

  app.route('/').get(showHome).all(allowOnly('GET', 'HEAD'));
  app
    .route('/login')
    .get(showLogin)
    .post(logIn(log))
    .all(allowOnly('GET', 'HEAD', 'POST'));
  app
    .route('/logout')
    .get(followLogout(log))
    .post(logOut(log))
    .all(allowOnly('GET', 'HEAD', 'POST'));

  app.use('/admin', requireLogin);
  app.route('/admin').get(showAdmin(admin)).all(allowOnly('GET', 'HEAD'));
  app.route('/admin/end-session').post(endSession(admin)).all(allowOnly('POST'));
  app.route('/admin/end-other-sessions').post(endOtherSessions(admin)).all(allowOnly('POST'));

  app.use(notFound);
  app.use(errorPage(log));
  return app;
}
