import { type Request, type RequestHandler, type Response, Router } from 'express';
import type { Core } from '../../core.ts';
import { HttpError } from '../../http/http-error.ts';
import { requestFields } from '../../log.ts';
import { allowOnly, notFound } from '../../middleware/errors.ts';
import { sameOrigin } from '../../middleware/same-origin.ts';
import { isOwnWish } from '../../routes/logout.ts';
import { cookieAttributes } from '../../session/cookie.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { absoluteEndOf } from '../../session/lifetime.ts';
import { handleOf, tagOf } from '../../session/session-id.ts';
import { readCookie } from '../../shared/read-cookie.ts';
import type { OpenedSites } from './opened-sites.ts';
import { explainOnSite, explainOtherRefusal, refuseVisitor, sendSitePage, setSiteHeaders } from './site-page.ts';
import { isStillOpen, type SiteSessions } from './site-sessions.ts';
import { type Site, siteFinder } from './sites.ts';
import { browserOf, isRandom, type Tickets } from './tickets.ts';
import {
  beginTrip,
  enterUrl,
  gatePath,
  gatePathAfterLogin,
  gateSiteOf,
  hasLostCookie,
  pathOf,
  readStart,
  readTrip,
  startUrl,
  type Trip,
} from './trip.ts';

export type PagesOptions = Pick<Core, 'config' | 'store' | 'log' | 'displayAddress' | 'noteOutage'> & {
  sites: ReadonlyMap<string, Site>;
  siteSessions: SiteSessions;
  tickets: Tickets;
  openedSites: OpenedSites;
  loginOrigin: string;
};

const startSeconds = 600;

/** The login site's part of the way from a site and back. */
export function pages(options: PagesOptions): Router {
  const router = Router();
  router.route('/gate').get(issueTicket(options)).all(allowOnly('GET, HEAD'));
  return router;
}

/**
 * All that is answered on the hosts of sites: the pages by which a browser gets to the login site, back, and out again.
 * A page of the login site must never be shown there: the app could read what is typed into it. So nothing else is.
 * @param beforePages what every request passes first
 */
export function sitePages(options: PagesOptions, beforePages: RequestHandler): Router {
  const findSite = siteFinder(options.sites);
  const router = Router({ caseSensitive: true, strict: true });
  router.use((req, res, next) => {
    if (!findSite(req)) return next('router');
    setSiteHeaders(res);
    next();
  });
  router.use(beforePages);
  router.use((req, res, next) => sameOrigin(options.log, findSite(req)?.origin)(req, res, next));

  function add(path: string, page: Page, methods = ['GET', 'HEAD']): void {
    const refuseMethod = allowOnly(methods.join(', '));
    router.all(path, async (req, res, next) => {
      const site = findSite(req);
      if (site && methods.includes(req.method)) await page(options, { site, req, res });
      else await refuseMethod(req, res, next);
    });
  }
  add('/.latchkey/start', start);
  add('/.latchkey/enter', enter);
  add('/.latchkey/logout', logOut, ['GET', 'HEAD', 'POST']);
  add('/.latchkey/refused', showRefusal);
  router.use(notFound);
  router.use(explainOnSite(options, findSite));
  return router;
}

/**
 * Lets views with a form that leads on to a site name that one site in `form-action`: browsers apply it to the redirects
 * that follow a form as well (hexpm#1413). Comes before whatever may fail, whose page can have such a form, too.
 */
export function offerFormTarget({ sites }: PagesOptions): RequestHandler {
  return function offerFormTarget(_req, res, next) {
    res.locals.allowFormTarget = (returnPath: unknown) => {
      const site = gateSiteOf(returnPath, sites);
      const policy = String(res.getHeader('Content-Security-Policy'));
      if (site) res.setHeader('Content-Security-Policy', policy.replace("form-action 'self'", `$& ${site.origin}`));
    };
    next();
  };
}

type SiteVisit = { site: Site; req: Request; res: Response };

type Page = (options: PagesOptions, visit: SiteVisit) => Promise<void> | void;

/** Marks the browser, and sends it to the login site. */
function start({ loginOrigin }: PagesOptions, { site, req, res }: SiteVisit): void {
  const { start, to, isRetry } = beginTrip(req, site);
  const cookie = start.longPath === '' ? start.mark : `${start.mark}.${start.longPath}`;
  res.cookie(site.startCookie, cookie, { ...cookieAttributes(site.https), maxAge: startSeconds * 1000 });
  res.redirect(303, loginOrigin + gatePath({ site, to, isRetry, browser: browserOf(start.mark) }));
}

/**
 * On the login site: sends visitors who may enter back to the site with a ticket, and all others to log in.
 * @throws {HttpError} 404 for a site that is not listed, 400 for a browser that keeps no cookies
 */
function issueTicket({ sites, tickets, log, loginOrigin }: PagesOptions): RequestHandler {
  return async function issueTicket(req, res) {
    const site = sites.get(String(req.query.site));
    if (!site) throw new HttpError(404, 'Latchkey does not guard this site.');
    const trip = readTrip(req, site);
    const { browser } = trip;
    const { email } = req.session;
    if (email === undefined && hasLostCookie(req)) {
      const note = `Allow cookies for ${new URL(loginOrigin).host}, and try again.`;
      const link = { href: gatePath(trip), label: 'Try again' };
      throw new HttpError(400, 'This browser did not keep a cookie.', { note, link });
    }
    if (email === undefined) return res.redirect(303, `/login?next=${encodeURIComponent(gatePathAfterLogin(trip))}`);
    if (!site.admits(email)) {
      log.info({ ...requestFields(req), person: tagOf(email), site: site.origin }, 'site refused');
      return res
        .status(403)
        .render('gate/refused', { host: new URL(site.origin).host, next: gatePathAfterLogin(trip) });
    }
    // A visitor who did not come by way of the site goes there for a mark.
    if (browser === undefined) return res.redirect(303, startUrl(site, pathOf(trip, undefined)));
    res.redirect(303, enterUrl(trip, await tickets.issue({ site, browser, sessionId: req.sessionID })));
  };
}

/** Opens the site to the browser that started, for the session that the ticket was issued to. */
async function enter(options: PagesOptions, visit: SiteVisit): Promise<void> {
  const { tickets, siteSessions, openedSites, store, config, log } = options;
  const { site, req, res } = visit;
  const start = readStart(req, site);
  const trip = readTrip(req, site);
  const path = pathOf(trip, start);
  const { ticket } = req.query;
  const sessionId = isRandom(ticket) ? await tickets.take(ticket, site, start?.mark) : undefined;
  const session = sessionId === undefined ? null : await store.get(sessionId);
  if (sessionId === undefined || session?.email === undefined) return startAgain(options, visit, trip, path);
  const endsAt = absoluteEndOf(session, config.sessionLimits);
  if (!(await openedSites.note(sessionId, site.origin, endsAt))) return startAgain(options, visit, trip, path);
  const attributes = cookieAttributes(site.https);
  const expires = session.remember && { expires: new Date(endsAt) };
  res.clearCookie(site.startCookie, attributes);
  res.cookie(site.cookie, siteSessions.create(site, sessionId), { ...attributes, ...expires });
  log.info({ ...requestFields(req), session: handleOf(sessionId), site: site.origin }, 'site opened');
  leadBack(res, site, path);
}

// `res.redirect` would encode the path once more: "50%" would come back as "50%25".
function leadBack(res: Response, site: Site, path: string): void {
  res
    .status(303)
    .set('Location', site.origin + path)
    .end();
}

// Tickets are spent by going back or reloading, and marks by another tab, which then has opened the site.
async function startAgain(options: PagesOptions, visit: SiteVisit, trip: Trip, path: string): Promise<void> {
  const { site, res } = visit;
  const { email } = await findVisitor(options, visit);
  if (email !== undefined && site.admits(email)) leadBack(res, site, path);
  else if (!trip.isRetry) res.redirect(303, startUrl(site, path, { isRetry: true }));
  else {
    sendSitePage(res, 400, {
      title: 'This browser did not keep a cookie',
      text: `Allow cookies for ${new URL(site.origin).host}, and try again.`,
      link: { href: startUrl(site, path), label: 'Try again' },
    });
  }
}

type Opener = { sessionId?: string; email?: EmailAddress | undefined; isOver?: boolean };

/** Who has opened this site in this browser, by its cookie; nobody once the site is no longer open to their session. */
async function findVisitor({ siteSessions, store }: PagesOptions, { site, req }: SiteVisit): Promise<Opener> {
  const siteSession = siteSessions.open(site, readCookie(req, site.cookie) ?? '');
  if (siteSession === undefined) return {};
  const { sessionId } = siteSession;
  // Not `get`: a cookie that is worth nothing any more must not keep its session from the idle limit.
  const session = await store.peek(sessionId);
  if (session !== null && !isStillOpen(siteSession, session)) return { isOver: true };
  return { sessionId, email: session?.email };
}

/**
 * Ends the whole session that opened this site, and with it every site; on the terms of the login site's own logout.
 * @throws {RedisUnavailable} the visitor may then still be signed in, and must not be told otherwise
 */
async function logOut(options: PagesOptions, visit: SiteVisit): Promise<void> {
  const { store, log, loginOrigin } = options;
  const { site, req, res } = visit;
  if (req.method !== 'POST' && !isOwnWish(req, site.origin)) return res.redirect(303, `${loginOrigin}/logout`);
  const { sessionId, isOver } = await findVisitor(options, visit);
  // The session itself may go on, so the visitor must not be told that it has ended.
  if (isOver) return res.redirect(303, `${loginOrigin}/logout`);
  const ended = sessionId !== undefined && (await store.index.endById(sessionId));
  if (ended) log.info({ ...requestFields(req), session: handleOf(sessionId), site: site.origin }, 'signed out');
  res.clearCookie(site.cookie, cookieAttributes(site.https));
  res.redirect(303, `${loginOrigin}/`);
}

/** What nginx shows in place of its own page for a 403, whether the gate has refused the request or nginx itself. */
async function showRefusal(options: PagesOptions, visit: SiteVisit): Promise<void> {
  const { email } = await findVisitor(options, visit);
  const { site, res } = visit;
  const shown = email && options.displayAddress(email);
  if (shown && site.admits(email)) explainOtherRefusal(res, site, shown);
  else refuseVisitor(res, { site, email: shown, loginOrigin: options.loginOrigin });
}
