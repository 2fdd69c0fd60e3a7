import ejs from 'ejs';
import type { Response } from 'express';
import { securityHeaderValues } from '../../middleware/security-headers.ts';
import type { Site } from './sites.ts';

const headers = Object.entries(securityHeaderValues({ https: false }));

/**
 * The headers of an answer of ours on somebody else's site. Without HSTS: the login site's covers all of its subdomains,
 * and what holds for a site is up to its operator.
 */
export function setSiteHeaders(res: Response): void {
  for (const [name, value] of headers) res.setHeader(name, value);
  // On pages, the app's middleware has set it.
  res.removeHeader('Strict-Transport-Security');
  res.setHeader('Cache-Control', 'no-store');
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
  </head>
  <body>
    <h1>${escapeXML(title)}</h1>
    <p>${escapeXML(text)}</p>
    <p><a href="${escapeXML(link.href)}">${escapeXML(link.label)}</a></p>
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
