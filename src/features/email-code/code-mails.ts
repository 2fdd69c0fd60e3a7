import { now } from '../../clock.ts';
import type { SessionLimits } from '../../config.ts';
import type { Logger } from '../../log.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { absoluteEndOf } from '../../session/lifetime.ts';
import { tagOf } from '../../session/session-id.ts';
import type { Outbox } from '../mail/outbox.ts';
import { codeSeconds, type Granted } from './challenges.ts';
import type { KnownBrowsers } from './known-browsers.ts';
import type { MailTemplates } from './mail-templates.ts';
import type { ProofInWords } from './new-browser.ts';
import type { RateLimits } from './rate-limits.ts';
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
  knownBrowsers: KnownBrowsers;
  rateLimits: RateLimits;
  limits: SessionLimits;
  log: Logger;
};

/** Whose mail it is, by the tag of the address, and of which known browser; empty for none. */
type MailContext = { tag: string; deviceId: string };

const noticeSeconds = 86_400;

/** The mails of sign-in by code: the code itself, and the notice of a new browser. */
export function codeMails({ outbox, templates, links, knownBrowsers, rateLimits, limits, log }: Parts) {
  const codes = outbox.register<MailContext>('code', {
    onFailed: ({ tag, deviceId }) => rateLimits.giveBackToAddress(tag, deviceId === '' ? undefined : deviceId),
  });
  const notices = outbox.register<MailContext>('notice', {
    onAccepted: ({ tag, deviceId }) => knownBrowsers.confirm(tag, deviceId),
  });

  return {
    /**
     * Mails a code; or, with the same work, none.
     * @throws {RedisUnavailable} when nothing may be promised
     */
    async sendCode(
      mail: { to: EmailAddress; code: string; deviceId: string | undefined; isWithheld: boolean },
      { requestId, device, origin }: Cause,
    ): Promise<void> {
      const { to, code, deviceId, isWithheld } = mail;
      const tag = tagOf(to);
      await codes.enqueue(templates.code({ to, code, device, origin, now: now() }), {
        priority: deviceId === undefined ? 'normal' : 'high',
        ttlSeconds: codeSeconds,
        about: { id: requestId, person: tag },
        context: { tag, deviceId: deviceId ?? '' },
        withheld: isWithheld,
      });
    },

    /**
     * Prepares the notice that a session is from a browser the address has not signed in with before.
     * @returns what sends it, once the session is stored. Both log their failures: they must not cost anybody a sign-in
     */
    async prepareNotice(
      granted: Granted,
      { requestId, device, origin }: Cause,
      proof?: ProofInWords,
    ): Promise<() => Promise<void>> {
      const { email, remember, sessionId, deviceId } = granted;
      const tag = tagOf(email);
      const about = { id: requestId, person: tag };
      const sentAt = now();
      const giveUp = (error: unknown) =>
        log.error({ ...about, mail: 'notice', err: error }, 'notice of a new browser not sent');
      try {
        const token = await links.create(
          { sessionId, deviceId },
          absoluteEndOf({ signedInAt: sentAt, remember }, limits),
        );
        const mail = templates.notice({
          to: email,
          device,
          ...(proof && { proof }),
          endUrl: `${origin}/end-session?token=${token}`,
          now: sentAt,
        });
        const context = { tag, deviceId };
        const delivery = { priority: 'high', ttlSeconds: noticeSeconds, about, context } as const;
        return () => notices.enqueue(mail, delivery).catch(giveUp);
      } catch (error) {
        giveUp(error);
        return async () => {};
      }
    },
  };
}
