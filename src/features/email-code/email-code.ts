import { fileURLToPath } from 'node:url';
import { Router } from 'express';
import type { Core, SignInWay } from '../../core.ts';
import { allowOnly, postOnly } from '../../middleware/errors.ts';
import { deadlineMs } from '../../redis/connect.ts';
import type { MailFeature } from '../mail/mail.ts';
import { Challenges } from './challenges.ts';
import { KnownBrowsers } from './known-browsers.ts';
import { MailTemplates } from './mail-templates.ts';
import { RateLimits } from './rate-limits.ts';
import { RevocationLinks } from './revocation-links.ts';
import { endLinkedSession, showEndSession } from './revocation-routes.ts';
import { askForCode, askForCodeAgain, enterCode, findWaitingCode, showCodeForm } from './routes.ts';

const viewsDirectory = fileURLToPath(new URL('../../../views', import.meta.url));

/**
 * Sign-in by a code that is mailed to the address.
 * @throws {Error} when there is nothing to mail it with
 */
export function emailCode(core: Core, mail: MailFeature): SignInWay {
  const { config, secrets, redis, log, store, isAllowed } = core;
  const { mailer, isCaught } = mail;
  if (!mailer) throw new Error('SIGN_IN=code needs a mail server: set SMTP_URL');
  const { https, origin, sessionLimits: limits } = config;
  const knownBrowsers = new KnownBrowsers(redis, deadlineMs, secrets, https);
  const revocationLinks = new RevocationLinks(redis, deadlineMs);
  const codes = {
    challenges: new Challenges(redis, secrets, deadlineMs),
    rateLimits: new RateLimits(redis, config.emailCode.mailsPerHour, deadlineMs),
    mails: new MailTemplates(viewsDirectory, config.siteName),
    hasAllowList: config.allowedEmails !== undefined,
    ...{ knownBrowsers, mailer, isCaught, revocationLinks, isAllowed, limits, origin, https, log },
  };
  const links = { revocationLinks, knownBrowsers, store, log };

  const routes = Router();
  routes
    .route('/login/code')
    .get(showCodeForm(codes))
    .post(enterCode(codes))
    .all(allowOnly('GET', 'HEAD', 'POST'));
  routes.route('/login/code/again').post(askForCodeAgain(codes)).all(postOnly('/login/code'));
  routes
    .route('/end-session')
    .get(showEndSession(links))
    .post(endLinkedSession(links))
    .all(allowOnly('GET', 'HEAD', 'POST'));
  return {
    form: { button: 'Mail me a code', note: 'No password needed: we mail you a code that works once.' },
    begin: askForCode(codes),
    routes,
    findLoginNotice: findWaitingCode(codes),
  };
}
