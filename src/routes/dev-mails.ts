import { isIP } from 'node:net';
import type { Request, RequestHandler } from 'express';
import type { Mail } from '../login/mailer.ts';

/** The last mails that were caught instead of sent. It exists in development alone. */
export function showMails(mails: Mail[]): RequestHandler {
  return function showMails(req, res, next) {
    if (isRebound(req)) next('route');
    else res.render('dev-mails', { mails });
  };
}

// A foreign site can have its own name resolve to this machine, and would then read the codes as its own page.
// `Host` is the one header that its script can't set.
function isRebound(req: Request): boolean {
  const asked = `http://${req.headers.host}`;
  const hostname = URL.canParse(asked) ? new URL(asked).hostname : '';
  return hostname !== 'localhost' && isIP(hostname.replace(/^\[|\]$/g, '')) === 0;
}
