import type { Socket } from 'node:net';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Core } from '../../core.ts';
import { isXhr } from '../../http/content-negotiation.ts';
import { explain, retryAfterSeconds } from '../../middleware/errors.ts';
import { RedisUnavailable } from '../../redis/deadline.ts';
import { isFromProxy } from '../../shared/from-proxy.ts';
import { readCookie } from '../../shared/read-cookie.ts';
import { type OriginalUrl, readOriginalUrl } from './original-url.ts';
import { type ProxyKind, proxyKindOf } from './proxies.ts';
import { refuseVisitor, sendSiteText } from './site-page.ts';
import { isStillOpen, type SiteSessions } from './site-sessions.ts';
import type { Site } from './sites.ts';
import { startUrl } from './trip.ts';

export type ChecksOptions = Pick<Core, 'store' | 'log' | 'displayAddress' | 'noteOutage'> & {
  sites: ReadonlyMap<string, Site>;
  siteSessions: SiteSessions;
  loginOrigin: string;
};

/**
 * Answers a proxy that asks whether a request may pass: one Redis command, and nothing is written but the session's
 * throttled touch. Only a peer that `TRUST_PROXY` names is believed. Comes before everything else, as checks are by far
 * the most requests; only answers that visitors may see get the security headers.
 */
export function checks(options: ChecksOptions): RequestHandler {
  const { sites, siteSessions, store, log, displayAddress, noteOutage, loginOrigin } = options;
  const isTrusted = trustedPeers(log);
  const warnOfVisitor = warningOfVisitors(log);

  async function check(kind: ProxyKind, req: Request, res: Response): Promise<void> {
    if (!isTrusted(req)) return sendSiteText(res, 403, 'This address is for the proxy alone.');
    if (!kind.isAsking(req)) {
      warnOfVisitor(req);
      return sendSiteText(res, 403, 'This address is for the proxy alone.');
    }
    const original = readOriginalUrl(kind.originalUrl(req), sites);
    if (!original) return sendSiteText(res, 403, 'Latchkey does not guard this site.');
    const { site } = original;
    const cookie = readCookie(req, site.cookie);
    const siteSession = cookie === undefined ? undefined : siteSessions.open(site, cookie);
    const session = siteSession && (await store.get(siteSession.sessionId));
    const email = session?.email;
    if (!siteSession || !session || email === undefined || !isStillOpen(siteSession, session)) {
      return askToLogIn(kind, original, req, res);
    }
    if (!site.admits(email)) return refuseVisitor(res, { site, email: displayAddress(email), loginOrigin });
    letPass(kind, req, res, { site, email, assertion: await siteSessions.assertion(siteSession, email) });
  }

  return function checkForProxy(req: Request, res: Response, next: NextFunction) {
    const kind = proxyKindOf(req.url);
    if (!kind) return next();
    check(kind, req, res).catch((error: unknown) => {
      if (res.headersSent) return void res.destroy();
      const { status, message } = explain(error);
      if (error instanceof RedisUnavailable) noteOutage(error);
      else log.error({ err: error }, 'a check failed');
      if (status === 503) res.setHeader('Retry-After', String(retryAfterSeconds));
      sendSiteText(res, status, message);
    });
  };
}

type Visit = { site: Site; email: string };

// An identity header that is missing here could reach the app as a visitor wrote it (caddy#7545).
function letPass(kind: ProxyKind, req: Request, res: Response, visit: Visit & { assertion: string }): void {
  const { cookie } = req.headers;
  const identity = headerValue(visit.email);
  res.writeHead(kind.passStatus, {
    'Cache-Control': 'no-store',
    'Remote-Email': identity,
    'Remote-User': identity,
    'Remote-Assertion': visit.assertion,
    ...(kind.replacesCookies && cookie !== undefined && { Cookie: withoutGateCookies(visit.site, cookie) }),
  });
  res.end();
}

function askToLogIn(kind: ProxyKind, original: OriginalUrl, req: Request, res: Response): void {
  const isLedAway = isNavigation(req, kind.method(req));
  if (isLedAway) res.setHeader('Location', startUrl(original.site, original.path));
  const hint = isFrame(req) ? ' To do so, reload the whole page.' : '';
  sendSiteText(res, isLedAway ? kind.redirectStatus : 401, `Please login first.${hint}`);
}

// https://www.w3.org/TR/fetch-metadata/ ; where none of it is sent, only what asks for a page is led away.
function isNavigation(req: Request, method: string): boolean {
  const mode = req.headers['sec-fetch-mode'];
  if (mode !== undefined) return mode === 'navigate' && !isFrame(req);
  return method === 'GET' && !isXhr(req) && (req.headers.accept ?? '').includes('text/html');
}

// The login page refuses to be framed. Only the page around a frame can be led there. A page load that a service worker
// passes on has the destination "empty".
const frames = new Set(['iframe', 'frame', 'object', 'embed', 'fencedframe']);

function isFrame(req: Request): boolean {
  return req.headers['sec-fetch-mode'] === 'navigate' && frames.has(String(req.headers['sec-fetch-dest']));
}

/** In UTF-8, each byte a character, which is how Node sends headers. */
function headerValue(email: string): string {
  return Buffer.from(email).toString('latin1');
}

function withoutGateCookies(site: Site, cookies: string): string {
  const own = new Set([site.cookie, site.startCookie]);
  const others = cookies.split(/; ?/).filter((pair) => !own.has(pair.split('=', 1)[0]?.trim() ?? ''));
  return others.join('; ');
}

function trustedPeers(log: Core['log']): (req: Request) => boolean {
  const known = new WeakMap<Socket, boolean>();
  let warned = false;

  return function isTrusted(req) {
    const { socket } = req;
    const before = known.get(socket);
    if (before !== undefined) return before;
    const trusted = isFromProxy(req);
    known.set(socket, trusted);
    if (!trusted && !warned) {
      warned = true;
      log.warn({ peer: socket.remoteAddress }, 'the gate was asked by a peer that TRUST_PROXY does not name');
    }
    return trusted;
  };
}

function warningOfVisitors(log: Core['log']): (req: Request) => void {
  let warned = false;

  return function warnOfVisitor(req) {
    if (warned) return;
    warned = true;
    const about = 'the gate was asked as Envoy does, but without the header Sec-Latchkey-Check: envoy';
    log.warn({ peer: req.socket.remoteAddress }, `${about}; if Envoy asked, add the header to its configuration`);
  };
}
