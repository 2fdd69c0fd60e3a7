import { fileURLToPath } from 'node:url';
import bodyParser from 'body-parser';
import express, { type Express } from 'express';
import type { Config, SessionSecrets } from './config.ts';
import { showMails } from './dev/mails-page.ts';
import { Challenges } from './features/email-code/challenges.ts';
import { KnownBrowsers } from './features/email-code/known-browsers.ts';
import { MailTemplates } from './features/email-code/mail-templates.ts';
import { RateLimits } from './features/email-code/rate-limits.ts';
import { RevocationLinks } from './features/email-code/revocation-links.ts';
import { endLinkedSession, showEndSession } from './features/email-code/revocation-routes.ts';
import { askForCode, askForCodeAgain, enterCode, showCodeForm } from './features/email-code/routes.ts';
import type { Mail, Mailer } from './features/mail/mailer.ts';
import { formatAgo, formatDuration, formatTime } from './http/date-format.ts';
import { staticFiles } from './http/static-files.ts';
import { registerEjs } from './http/view-engine.ts';
import type { Logger } from './log.ts';
import { knownBodiesOnly, plainBodiesOnly } from './middleware/bodies.ts';
import { allowOnly, errorPage, notFound } from './middleware/errors.ts';
import { requestLog } from './middleware/request-log.ts';
import { requireLogin } from './middleware/require-login.ts';
import { sameOrigin } from './middleware/same-origin.ts';
import { securityHeaders } from './middleware/security-headers.ts';
import { viewLocals } from './middleware/view-locals.ts';
import { deadlineMs, type RedisClient } from './redis/connect.ts';
import { outageLog } from './redis/outage-log.ts';
import { endOtherSessions, endSession, showAdmin } from './routes/admin.ts';
import { live, ready } from './routes/health.ts';
import { showHome } from './routes/home.ts';
import { showLogin, trustAddress } from './routes/login.ts';
import { followLogout, logOut } from './routes/logout.ts';
import { allowList } from './session/allow-list.ts';
import { cookieAttributes } from './session/cookie.ts';
import { sessions } from './session/middleware.ts';
import { SessionStore } from './session/store.ts';

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
const maxBody = '16kb';

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
    rateLimits: new RateLimits(redis, config.mailsPerHour, deadlineMs),
    knownBrowsers: new KnownBrowsers(redis, deadlineMs, secrets, https),
    mails: new MailTemplates(viewsDirectory),
    revocationLinks: new RevocationLinks(redis, deadlineMs),
    ...{ mailer, isAllowed, limits: config.sessionLimits, origin: config.origin, https, log },
  };
  const admin = { index: store.index, limits: config.sessionLimits, log };

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag'); // Pages are not stored, so nobody could use it; static files have their own.
  app.set('trust proxy', config.trustProxy);
  const { serveStaticFile, assetUrl } = staticFiles(publicDirectory, { reload });
  app.locals.asset = assetUrl;
  app.locals.words = { formatAgo, formatDuration, formatTime };
  app.locals.trustsAddresses = codes === undefined;
  app.locals.catchesMail = caughtMails !== undefined;
  registerEjs(app, { directory: viewsDirectory, reload });

  app.use(securityHeaders({ https }));
  app.use(plainBodiesOnly);
  app.use(serveStaticFile);
  app.route('/livez').get(live).all(allowOnly('GET', 'HEAD'));
  app.route('/readyz').get(ready({ redis, mailer, isClosing })).all(allowOnly('GET', 'HEAD'));

  app.use(requestLog(log));
  app.use(bodyParser.urlencoded({ extended: false, inflate: false, limit: maxBody, parameterLimit: 50 }));
  app.use(bodyParser.json({ inflate: false, limit: maxBody }));
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
    const link = { revocationLinks: codes.revocationLinks, knownBrowsers: codes.knownBrowsers, store, log };
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
