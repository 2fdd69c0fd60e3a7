import { Router } from 'express';
import type { Core, Service } from '../../core.ts';
import { allowOnly } from '../../middleware/errors.ts';
import { Mailer, smtpTransport } from './mailer.ts';
import { memoryOutbox, type Outbox } from './outbox.ts';

export type MailFeature = {
  /** Undefined in production without `SMTP_URL`. */
  mailer: Mailer | undefined;
  /** Undefined in production without `SMTP_URL`. */
  outbox: Outbox | undefined;
  /** Whether mail is caught instead of sent, and can be read at `/dev/mails`. */
  isCaught: boolean;
  service: Service;
  routes: Router;
};

/** Mail: sent by the server that `SMTP_URL` names or, in development without one, caught and shown. */
export function openMail({ config, log, development }: Core): MailFeature {
  const { smtpUrl, from } = config.mail;
  const routes = Router();
  const catcher = smtpUrl === undefined && development ? new development.MailCatcher() : undefined;
  const transport = smtpUrl === undefined ? catcher : smtpTransport(smtpUrl, from);
  const mailer = transport && new Mailer(transport, log);
  const isCaught = catcher !== undefined && config.signIn !== 'trust';
  if (development && catcher && isCaught) {
    routes.route('/dev/mails').get(development.showMails(catcher.mails)).all(allowOnly('GET', 'HEAD'));
  }
  const service = {
    async start() {
      if (isCaught) log.warn('no SMTP_URL: mail is not sent, read it at /dev/mails');
    },
    async stop() {
      await mailer?.close();
    },
  };
  const outbox = mailer && memoryOutbox(mailer, log);
  return { mailer, outbox, isCaught, service, routes };
}
