import { Router } from 'express';
import type { Core, Service } from '../../core.ts';
import { allowOnly } from '../../middleware/errors.ts';
import type { PersonalKeys, SelfCheck } from '../../shared/operations.ts';
import type {} from '../../shared/trusted-cas.ts';
import { type Outbox, RedisOutbox } from './outbox.ts';
import { queuedMailKeys } from './personal-keys.ts';
import { deriveSealKeys } from './seal.ts';
import { checkMail } from './self-check.ts';
import { SmtpThread } from './smtp-thread.ts';

export type MailFeature = {
  /** Undefined in production without `SMTP_URL`. */
  outbox: Outbox | undefined;
  /** Whether mail goes to the mail catcher instead of being sent. */
  isCaught: boolean;
  /** Shows caught mail at `/dev/mails`. Called by what sends mail; without it, there is no such page. */
  showCaught: () => void;
  service: Service;
  /** Shows the mail that was caught; undefined where mail is sent, or nothing mails. */
  routes: Router | undefined;
  /** Mail that waits, to whoever it is. */
  personalKeys: PersonalKeys[];
  selfCheck: SelfCheck;
};

/** Sends mail by the server in `SMTP_URL`. In development without one, a mail catcher shows it. */
export function openMail({ config, secrets, redis, log, ca, development }: Core): MailFeature {
  const { server, limits, maxDelayMs, from, host } = config.mail;
  const keys = deriveSealKeys(secrets);
  const catcher = server === undefined && development ? new development.MailCatcher() : undefined;
  const courier =
    server === undefined
      ? catcher?.courier(keys)
      : new SmtpThread({ server: { ...server, ca }, keys, from, host }, log);
  const outbox = courier && new RedisOutbox({ redis, keys, log, courier, limits, maxDelayMs });
  const service = {
    async start() {
      if (mail.routes) log.warn('no SMTP_URL: mail is not sent, read it at /dev/mails');
      outbox?.start();
    },
    async stop() {
      await outbox?.stop();
    },
  };
  const mail: MailFeature = {
    outbox,
    isCaught: catcher !== undefined,
    showCaught() {
      if (!development || !catcher) return;
      mail.routes = Router();
      mail.routes.route('/dev/mails').get(development.showMails(catcher.mails)).all(allowOnly('GET, HEAD'));
    },
    service,
    routes: undefined,
    personalKeys: [queuedMailKeys(redis, keys)],
    selfCheck: checkMail(courier, keys, config),
  };
  return mail;
}
