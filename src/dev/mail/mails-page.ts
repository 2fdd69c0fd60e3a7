import type { RequestHandler } from 'express';
import type { Mail } from '../../features/mail/delivery.ts';

/** The last mails that were caught instead of sent. Exists only in development. */
export function showMails(mails: Mail[]): RequestHandler {
  return function showMails(_req, res) {
    res.render('mail/dev-mails', { mails });
  };
}
