import type { RequestHandler } from 'express';
import type { Mail } from '../login/mailer.ts';

/** The last mails that were caught instead of sent. It exists in development alone. */
export function showMails(mails: Mail[]): RequestHandler {
  return function showMails(_req, res) {
    res.render('dev-mails', { mails });
  };
}
