import type { SessionLimits } from '../../config.ts';
import type { Logger } from '../../log.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { absoluteEndOf } from '../../session/lifetime.ts';
import { tagOf } from '../../session/record.ts';
import type { Outbox } from '../mail/outbox.ts';
import { codeSeconds, type Granted } from './challenges.ts';
import type { MailTemplates } from './mail-templates.ts';
import type { RevocationLinks } from './revocation-links.ts';

/** What mails say about the request that caused them. */
export type Cause = {
  requestId: string;
  /** Browser and system in words. */
  device: string;
  /** Where links lead. */
  origin: string;
};

export type CodeMails = ReturnType<typeof codeMails>;

type Parts = {
  outbox: Outbox;
  templates: MailTemplates;
  links: RevocationLinks;
  limits: SessionLimits;
  log: Logger;
};

const noticeSeconds = 86_400;

/** The mails of sign-in by code: the code itself, and the notice of a new browser. */
export function codeMails({ outbox, templates, links, limits, log }: Parts) {
  const codes = outbox.register('code');
  const notices = outbox.register('notice');

  return {
    /**
     * Mails a code; or, with the same work, none.
     * @throws {RedisUnavailable} when nothing may be promised
     */
    async sendCode(
      mail: { to: EmailAddress; code: string; isKnown: boolean; isWithheld: boolean },
      { requestId, device, origin }: Cause,
    ): Promise<void> {
      const { to, code, isKnown, isWithheld } = mail;
      await codes.enqueue(templates.code({ to, code, device, origin, now: Date.now() }), {
        priority: isKnown ? 'high' : 'normal',
        ttlSeconds: codeSeconds,
        about: { id: requestId, person: tagOf(to) },
        context: {},
        withheld: isWithheld,
      });
    },

    /**
     * Prepares the notice that a session is from a browser the address has not signed in with before.
     * @returns what sends it, once the session is stored. Both log their failures: they must not cost anybody a sign-in
     */
    async prepareNotice(granted: Granted, { requestId, device, origin }: Cause): Promise<() => Promise<void>> {
      const { email, remember, sessionId, deviceId } = granted;
      const about = { id: requestId, person: tagOf(email) };
      const now = Date.now();
      const giveUp = (error: unknown) =>
        log.error({ ...about, mail: 'notice', err: error }, 'notice of a new browser not sent');
      try {
        const token = await links.create({ sessionId, deviceId }, absoluteEndOf({ signedInAt: now, remember }, limits));
        const mail = templates.notice({
          to: email,
          device,
          endUrl: `${origin}/end-session?token=${token}`,
          now,
        });
        const delivery = { priority: 'high', ttlSeconds: noticeSeconds, about, context: {} } as const;
        return () => notices.enqueue(mail, delivery).catch(giveUp);
      } catch (error) {
        giveUp(error);
        return async () => {};
      }
    },
  };
}
