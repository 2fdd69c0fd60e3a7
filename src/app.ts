import { fileURLToPath } from 'node:url';
import bodyParser from 'body-parser';
import express, { type Express } from 'express';
import { assets } from './assets.ts';
import type { Config, SessionSecrets } from './config.ts';
import type { Logger } from './log.ts';
import { allowList } from './login/allowed.ts';
import { Challenges } from './login/challenge.ts';
import { Devices } from './login/device.ts';
import { EndLinks } from './login/end-links.ts';
import type { Mail, Mailer } from './login/mailer.ts';
import { MailWriter } from './login/mails.ts';
import { Throttle } from './login/throttle.ts';
import { knownBodiesOnly } from './middleware/bodies.ts';
import { allowOnly, errorPage, notFound } from './middleware/errors.ts';
import { requestLog } from './middleware/request-log.ts';
import { requireLogin } from './middleware/require-login.ts';
import { sameOrigin } from './middleware/same-origin.ts';
import { securityHeaders } from './middleware/security-headers.ts';
import { viewLocals } from './middleware/view-locals.ts';
import { outageLog } from './redis/outages.ts';
import { deadlineMs, type RedisClient } from './redis.ts';
import { endOtherSessions, endSession, showAdmin } from './routes/admin.ts';
import { askForCode, askForCodeAgain, enterCode, showCodeForm } from './routes/code.ts';
import { showMails } from './routes/dev-mails.ts';
import { endLinkedSession, showEndSession } from './routes/end-session.ts';
import { live, ready } from './routes/health.ts';
import { showHome } from './routes/home.ts';
import { showLogin, trustAddress } from './routes/login.ts';
import { followLogout, logOut } from './routes/logout.ts';
import { cookieAttributes } from './session/cookie.ts';
import { sessions } from './session/middleware.ts';
import { SessionStore } from './session/store.ts';
import { useEjs } from './views.ts';
import { agoWords, durationWords, timeWords } from './words.ts';

export type AppParts = {
  config: Config;
  secrets: SessionSecrets;
  redis: RedisClient;
  log: Logger;
  /** Sends the codes, where sign-in is by code; its presence and `config.signIn` agree. */
  mailer?: Mailer | undefined;
  /** In development: what was mailed, to be read at `/dev/mails`. */
  caughtMails?: Mail[] | undefined;
  /** Whether the process is about to stop, and wants no more visitors. */
  isClosing: () => boolean;
};

const publicDirectory = fileURLToPath(new URL('../public', import.meta.url));
const viewsDirectory = fileURLToPath(new URL('../views', import.meta.url));
const largestBody = '16kb';

/** The whole request path, top to bottom. Static files and health never touch a session. */
export function createApp({ config, secrets, redis, log, mailer, caughtMails, isClosing }: AppParts): Express {
  const https = config.origin?.startsWith('https:') ?? false;
  const reload = !config.production;
  const isAllowed = allowList(config.allowedEmails);
  const noteOutage = outageLog(log);
  const store = new SessionStore({
    redis,
    limits: config.sessionLimits,
    sessionsPerAddress: config.sessionsPerAddress,
    deadlineMs,
    cookie: cookieAttributes(https),
    isAllowed,
    log,
    noteOutage,
  });
  if (config.signIn === 'code' && !mailer) throw new Error('sign-in by code needs a mailer');
  const codes = mailer && {
    challenges: new Challenges(redis, secrets, deadlineMs),
    throttle: new Throttle(redis, config.mailsPerHour, deadlineMs),
    devices: new Devices(redis, deadlineMs, secrets, https),
    mails: new MailWriter(viewsDirectory),
    endLinks: new EndLinks(redis, deadlineMs),
    ...{ mailer, isAllowed, limits: config.sessionLimits, origin: config.origin, https, log },
  };
  const admin = { directory: store.directory, limits: config.sessionLimits, log };

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag'); // Pages are not stored, so nobody could use it; static files have their own.
  app.set('trust proxy', config.trustProxy);
  const { serveAsset, urlOf } = assets(publicDirectory, { reload });
  app.locals.asset = urlOf;
  app.locals.words = { agoWords, durationWords, timeWords };
  app.locals.trustsAddresses = codes === undefined;
  app.locals.catchesMail = caughtMails !== undefined;
  useEjs(app, { directory: viewsDirectory, reload });

  app.use(securityHeaders({ https }));
  app.use(serveAsset);
  app.route('/livez').get(live).all(allowOnly('GET', 'HEAD'));
  app.route('/readyz').get(ready({ redis, mailer, isClosing })).all(allowOnly('GET', 'HEAD'));

  app.use(requestLog(log));
  app.use(bodyParser.urlencoded({ extended: false, limit: largestBody, parameterLimit: 50 }));
  app.use(bodyParser.json({ limit: largestBody }));
  app.use(knownBodiesOnly);
  app.use(sessions({ store, secrets, https, log }));
  app.use(viewLocals);
  app.use(sameOrigin(config.origin));

  app.route('/').get(showHome).all(allowOnly('GET', 'HEAD'));
  const signIn = codes ? askForCode(codes) : trustAddress(isAllowed, log);
  app
    .route('/login')
    .get(showLogin)
    .post(signIn)
    .all(allowOnly('GET', 'HEAD', 'POST'));
  app
    .route('/logout')
    .get(followLogout(log, config.origin))
    .post(logOut(log))
    .all(allowOnly('GET', 'HEAD', 'POST'));

  if (codes) {
    app
      .route('/login/code')
      .get(showCodeForm(codes))
      .post(enterCode(codes))
      .all(allowOnly('GET', 'HEAD', 'POST'));
    app.route('/login/code/again').post(askForCodeAgain(codes)).all(allowOnly('POST'));
    const link = { endLinks: codes.endLinks, devices: codes.devices, store, log };
    app
      .route('/end-session')
      .get(showEndSession(link))
      .post(endLinkedSession(link))
      .all(allowOnly('GET', 'HEAD', 'POST'));
  }
  if (caughtMails) app.route('/dev/mails').get(showMails(caughtMails, config.origin)).all(allowOnly('GET', 'HEAD'));

  app.use('/admin', requireLogin);
  app.route('/admin').get(showAdmin(admin)).all(allowOnly('GET', 'HEAD'));
  app.route('/admin/end-session').post(endSession(admin)).all(allowOnly('POST'));
  app.route('/admin/end-other-sessions').post(endOtherSessions(admin)).all(allowOnly('POST'));

  app.use(notFound);
  app.use(errorPage(log, noteOutage));
  return app;
}
