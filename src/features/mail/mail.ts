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
  /** Whether mail goes to the mail catcher, and can be read at `/dev/mails`, instead of being sent. */
  isCaught: boolean;
  service: Service;
  /** Shows the mail that was caught; undefined where mail is sent. */
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
  const isCaught = catcher !== undefined && config.signIn !== 'trust';
  let routes: Router | undefined;
  if (development && catcher && isCaught) {
    routes = Router();
    routes.route('/dev/mails').get(development.showMails(catcher.mails)).all(allowOnly('GET', 'HEAD'));
  }
  const service = {
    async start() {
      if (isCaught) log.warn('no SMTP_URL: mail is not sent, read it at /dev/mails');
      outbox?.start();
    },
    async stop() {
      await outbox?.stop();
    },
  };
  return {
    outbox,
    isCaught,
    service,
    routes,
    personalKeys: [queuedMailKeys(redis, keys)],
    selfCheck: checkMail(courier, keys, config),
  };
}
