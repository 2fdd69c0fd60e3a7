import { isIP } from 'node:net';
import type { Request, RequestHandler } from 'express';
import type { Mail } from '../../features/mail/mailer.ts';

/**
 * The last mails that were caught instead of sent. It exists in development alone.
 * @param ownOrigin the site's public origin, where it is configured
 */
export function showMails(mails: Mail[], ownOrigin: string | undefined): RequestHandler {
  return function showMails(req, res, next) {
    if (isRebound(req, ownOrigin)) next('route');
    else res.render('mail/dev-mails', { mails });
  };
}

// A foreign site can have its own name resolve to this machine, and would then read the codes as its own page.
// Its script can't set `Host`.
function isRebound(req: Request, ownOrigin: string | undefined): boolean {
  const asked = `http://${req.headers.host}`;
  const { hostname, host } = new URL(URL.canParse(asked) ? asked : 'http://nowhere.invalid');
  const isOwn = ownOrigin !== undefined && host === new URL(ownOrigin).host;
  return !isOwn && hostname !== 'localhost' && isIP(hostname.replace(/^\[|\]$/g, '')) === 0;
}
