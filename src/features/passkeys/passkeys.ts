import { type Request, type RequestHandler, type Response, Router } from 'express';
import type { AdminSection, Core, SignInWay } from '../../core.ts';
import { allowOnly } from '../../middleware/errors.ts';
import { requireLogin } from '../../middleware/require-login.ts';
import { distanceMs } from '../../shared/distance.ts';
import type { PersonalKeys } from '../../shared/operations.ts';
import { requireFreshLogin } from '../access-guards/access-guards.ts';
import type { MailFeature } from '../mail/mail.ts';
import { Accounts } from './accounts.ts';
import { addPasskey, addPath, listPath, sendCreationOptions, showOffer } from './add-routes.ts';
import { Challenges } from './challenges.ts';
import { PasskeyCookies } from './cookies.ts';
import { removePasskey, renamePasskey, showPasskeys, showRemoval, showRenaming } from './list-routes.ts';
import { announcePasskeyOutcomes, sendRequestOptions, signInWithPasskey } from './login-routes.ts';
import { PasskeyMailTemplates } from './mail-templates.ts';
import { passkeyMails } from './passkey-mails.ts';
import type { PasskeyRoutes } from './passkey-request.ts';
import { passkeyKeys } from './personal-keys.ts';
import { relyingPartyOf } from './relying-party.ts';
import { PasskeyService } from './service.ts';
import { UndoLinks } from './undo-links.ts';
import { showUndo, undoChange } from './undo-routes.ts';
import { wellKnown } from './well-known.ts';

export type PasskeysFeature = {
  /** Undefined where there are no passkeys, as is `wellKnown`. */
  routes?: Router;
  /** What other programs ask of a relying party. */
  wellKnown?: Router;
  personalKeys: PersonalKeys[];
  adminSections: AdminSection[];
  /** Where a page load goes after a sign-in by other means, on its way to `next`. */
  pageAfterSignIn: (req: Request, res: Response, next: string) => string;
};

/** Adding and removing passkeys takes a login of at most ten minutes ago (ASVS 7.5.1). */
const freshSeconds = 600;
const requireFresh = requireFreshLogin({ withinSeconds: freshSeconds });

/**
 * Passkeys: a second way in, for addresses that were proved by the first. There are none where addresses are trusted: one
 * that a stranger added would outlive the trust.
 */
export function openPasskeys(core: Core, { outbox }: MailFeature, signInWay: SignInWay): PasskeysFeature {
  const { config, secrets, redis, log, store, isAllowed } = core;
  const { noticeNewBrowser } = signInWay;
  const personalKeys = passkeyKeys(redis);
  if (!outbox || !noticeNewBrowser) {
    return { personalKeys, adminSections: [], pageAfterSignIn: (_req, _res, next) => next };
  }
  announcePasskeyOutcomes();
  const accounts = new Accounts(redis);
  const links = new UndoLinks(redis);
  const templates = new PasskeyMailTemplates(config.siteName, core.look);
  const mails = passkeyMails({ outbox, templates, links, redis, log });
  const challenges = new Challenges(redis, secrets);
  const { siteName, https } = config;
  const displayAddress = (email: string) => core.displayAddress(email);
  const service = new PasskeyService({ challenges, accounts, mails, redis, isAllowed, siteName, displayAddress, log });
  const cookies = new PasskeyCookies(https);
  const partyOf = relyingPartyOf(config);
  const parts = { service, accounts, links, cookies, partyOf, noticeNewBrowser, https, log, store };
  return {
    routes: routesOf(parts),
    wellKnown: wellKnown(parts, config),
    personalKeys,
    adminSections: [{ view: 'passkeys/admin-section', load: async () => ({}) }],
    pageAfterSignIn(req, res, next) {
      // In a second tab, a code may come long after the sign-in: the offer would ask for another one.
      const isFresh = distanceMs(req.session.signedInAt ?? 0) < freshSeconds * 1000;
      const isLater = !isFresh || cookies.wasOffered(req) || next.startsWith(listPath);
      // Only a script that found passkeys to work has asked for that cookie.
      if (isLater || !partyOf(req) || cookies.readBrowser(req) === undefined) return next;
      cookies.noteOffered(res);
      return `${addPath}?next=${encodeURIComponent(next)}`;
    },
  };
}

function routesOf(parts: PasskeyRoutes): Router {
  const routes = Router();
  routes.use(offerLogin(parts));
  routes.route('/login/passkey/options').post(sendRequestOptions(parts)).all(allowOnly('POST', '/login'));
  routes.route('/login/passkey').post(signInWithPasskey(parts)).all(allowOnly('POST', '/login'));
  routes.route('/passkeys/undo').get(showUndo(parts)).post(undoChange(parts)).all(allowOnly('GET, HEAD, POST'));
  routes.use(listPath, requireLogin);
  routes
    .route(listPath)
    .get(showPasskeys(parts))
    .post(requireFresh, addPasskey(parts))
    .all(allowOnly('GET, HEAD, POST'));
  routes.route(addPath).get(requireFresh, showOffer(parts)).all(allowOnly('GET, HEAD'));
  routes.route('/passkeys/options').post(requireFresh, sendCreationOptions(parts)).all(allowOnly('POST', addPath));
  routes
    .route('/passkeys/rename')
    .get(showRenaming(parts))
    .post(renamePasskey(parts))
    .all(allowOnly('GET, HEAD, POST'));
  routes
    .route('/passkeys/remove')
    .get(requireFresh, showRemoval(parts))
    .post(requireFresh, removePasskey(parts))
    .all(allowOnly('GET, HEAD, POST'));
  return routes;
}

/** Lets the views offer passkeys, where browsers have them. */
function offerLogin({ partyOf }: PasskeyRoutes): RequestHandler {
  return function offerLogin(req, res, next) {
    if (partyOf(req)) {
      const offer = { hasPasskeys: true, loginOffer: 'passkeys/login', addressAutocomplete: 'username webauthn' };
      Object.assign(res.locals, offer);
    }
    next();
  };
}
