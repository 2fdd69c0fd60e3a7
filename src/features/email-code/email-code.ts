import { Router } from 'express';
import type { Core, SignInWay } from '../../core.ts';
import { allowOnly } from '../../middleware/errors.ts';
import type { MailFeature } from '../mail/mail.ts';
import { CodeAnswers } from './answers.ts';
import { askForCode, askForCodeAgain, mentionWaitingCode } from './ask-routes.ts';
import { announceCodeOutcomes } from './audit-log.ts';
import { Challenges } from './challenges.ts';
import { codeMails } from './code-mails.ts';
import type { CodeRoutes } from './code-request.ts';
import { CodeCookies } from './cookies.ts';
import { takeOverEarlierCode } from './earlier-codes.ts';
import { enterCode, showCodeForm } from './enter-routes.ts';
import { KnownBrowsers } from './known-browsers.ts';
import { MailTemplates } from './mail-templates.ts';
import { noticeNewBrowser } from './new-browser.ts';
import { RateLimits } from './rate-limits.ts';
import { RevocationLinks } from './revocation-links.ts';
import { endLinkedSession, showEndSession } from './revocation-routes.ts';
import { EmailCodeService } from './service.ts';

/**
 * Sign-in by a code that is mailed to the address.
 * @throws {Error} when there is nothing to mail it with
 */
export function emailCode(core: Core, { outbox, isCaught, showCaught }: MailFeature): SignInWay {
  const { config, secrets, redis, log, store, isAllowed, displayAddress } = core;
  if (!outbox) throw new Error('SIGN_IN=code needs a mail server: set SMTP_URL');
  announceCodeOutcomes();
  showCaught();
  const { https, origin, sessionLimits: limits, allowedEmails } = config;
  const knownBrowsers = new KnownBrowsers(redis, secrets);
  const links = new RevocationLinks(redis);
  const rateLimits = new RateLimits(redis, config.emailCode.mailsPerHour);
  const templates = new MailTemplates(config.siteName, core.look);
  const mails = codeMails({ outbox, templates, links, knownBrowsers, rateLimits, limits, log });
  const service = new EmailCodeService({
    challenges: new Challenges(redis, secrets),
    rateLimits,
    knownBrowsers,
    mails,
    isAllowed,
    log,
  });
  const cookies = new CodeCookies(https);
  const answers = new CodeAnswers({ hasAllowList: allowedEmails !== undefined, catchesMail: isCaught });
  const codes: CodeRoutes = { service, cookies, knownBrowsers, answers, displayAddress, origin, https, log };
  const revocation = { links, knownBrowsers, store, log };

  const routes = Router();
  routes.use('/login', takeOverEarlierCode(redis, cookies));
  // A route for GET alone would answer OPTIONS as well.
  routes.all(['/', '/login'], mentionWaitingCode(codes));
  routes.route('/login/code').get(showCodeForm(codes)).post(enterCode(codes)).all(allowOnly('GET, HEAD, POST'));
  routes.route('/login/code/again').post(askForCodeAgain(codes)).all(allowOnly('POST', '/login/code'));
  routes
    .route('/end-session')
    .get(showEndSession(revocation))
    .post(endLinkedSession(revocation))
    .all(allowOnly('GET, HEAD, POST'));
  return {
    form: { button: 'Mail me a code', note: 'No password needed: we mail you a code that works once.' },
    begin: askForCode(codes),
    routes,
    noticeNewBrowser: noticeNewBrowser(codes, mails),
  };
}
