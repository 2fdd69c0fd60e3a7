import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import ejs from 'ejs';
import type { ErrorRequestHandler, Request, Response } from 'express';
import type { Core } from '../../core.ts';
import { explain, retryAfterSeconds } from '../../middleware/errors.ts';
import { securityHeaders } from '../../middleware/security-headers.ts';
import { RedisUnavailable } from '../../redis/deadline.ts';
import { type HeaderSetter, headerValues } from '../../shared/header-values.ts';
import type { Site } from './sites.ts';

// Host names and addresses are longer than a narrow screen.
const style = 'body { overflow-wrap: anywhere }';
const styleSource = `'sha256-${createHash('sha256').update(style).digest('base64')}'`;
const headers = Object.entries(headerValues(securityHeaders({ https: false }))).map(
  ([name, value]) => [name, value.replace("style-src 'self'", `style-src ${styleSource}`)] as const,
);
const policy = new Map(headers).get('content-security-policy') ?? '';
const framedPolicy = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'");

/**
 * The headers of an answer of ours on somebody else's site. Without HSTS: the login site's covers all of its subdomains,
 * and what holds for a site is up to its operator.
 */
export function setSiteHeaders(res: Response): void {
  for (const [name, value] of headers) res.setHeader(name, value);
  res.setHeader('Cache-Control', 'no-store');
}

/** Answers with a sentence, which the site's own frames may show. */
export function sendSiteText(res: Response, status: number, text: string): void {
  setSiteHeaders(res);
  res.setHeader('Content-Security-Policy', framedPolicy);
  res.setHeader('X-Frame-Options', 'SAMEORIGIN');
  res.status(status).type('text').send(`${text}\n`);
}

/** The same headers without HSTS, for an answer that may be on a site. */
export function withoutHsts(setHeaders: HeaderSetter): HeaderSetter {
  return function setHeadersWithoutHsts(req, res, next) {
    setHeaders(req, res, () => {
      res.removeHeader('Strict-Transport-Security');
      next();
    });
  };
}

type SitePage = { title: string; text: string; link: { href: string; label: string } };

/**
 * A page of ours on a site of somebody else's. It stands alone: our style sheet is on the login site, and a path here
 * would lead into the app.
 */
export function sendSitePage(res: Response, status: number, { title, text, link }: SitePage): void {
  const { escapeXML } = ejs;
  setSiteHeaders(res);
  res
    .status(status)
    .type('html')
    .send(`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${escapeXML(title)}</title>
    <style>${style}</style>
  </head>
  <body>
    <main>
      <h1>${escapeXML(title)}</h1>
      <p>${escapeXML(text)}</p>
      <p><a href="${escapeXML(link.href)}">${escapeXML(link.label)}</a></p>
    </main>
  </body>
</html>
`);
}

/**
 * Tells visitors who they are, and where to change that. Nothing leads there by itself, so there is no loop.
 * @param visit.email as visitors read it; undefined when nobody is signed in
 */
export function refuseVisitor(
  res: Response,
  visit: { site: Site; email: string | undefined; loginOrigin: string },
): void {
  const { origin } = visit.site;
  const { host } = new URL(origin);
  sendSitePage(res, 403, {
    title: `You may not open ${host}`,
    text: visit.email
      ? `You are signed in as ${visit.email}, which is not one of the addresses that may open this site.`
      : 'You are not signed in.',
    link: {
      href: `${visit.loginOrigin}/gate?site=${encodeURIComponent(origin)}`,
      label: visit.email ? 'Log in with another address' : 'Log in',
    },
  });
}

/** Tells visitors who may enter a site that something refused this page all the same, most likely the proxy itself. */
export function explainOtherRefusal(res: Response, { origin }: Site, email: string): void {
  const { host } = new URL(origin);
  sendSitePage(res, 403, {
    title: 'This page may not be opened',
    text: `You are signed in as ${email}, and may open ${host}, but not this page.`,
    link: { href: `${origin}/`, label: `Open ${host}` },
  });
}

/** What went wrong with a request on a site, in words; never an error page of the login site. */
export function explainOnSite(
  { log, noteOutage }: Pick<Core, 'log' | 'noteOutage'>,
  findSite: (req: Request) => Site | undefined,
): ErrorRequestHandler {
  return function answerError(error: unknown, req, res, next) {
    const { origin } = findSite(req) ?? {};
    if (origin === undefined || res.headersSent) return next(error);
    const { status, message, details } = explain(error);
    if (error instanceof RedisUnavailable) noteOutage(error);
    else if (status >= 500) log.error({ id: req.id, err: error }, 'request failed');
    if (status === 503) res.setHeader('Retry-After', String(retryAfterSeconds));
    res.set(details.headers ?? {});
    const link = { href: `${origin}/`, label: `Open ${new URL(origin).host}` };
    sendSitePage(res, status, { title: STATUS_CODES[status] ?? String(status), text: message, link });
  };
}
