import type { Request } from 'express';
import { now } from '../../clock.ts';
import type { Core } from '../../core.ts';
import { formatTime } from '../../http/date-format.ts';
import { describeDevice } from '../../http/user-agent.ts';
import { absoluteEndOf } from '../../session/lifetime.ts';
import { tagIn } from '../../session/session-id.ts';
import { noDevice, RevocationLinks } from '../email-code/revocation-links.ts';
import { MailWriter } from '../mail/mail-writer.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { Refused } from './refusals.ts';

const ttlSeconds = 86_400;

export type TheftMails = ReturnType<typeof theftMails>;

/** The mail to the owner of a session whose cookie somebody uses elsewhere, with a link that ends the session. */
export function theftMails({ config, redis, look }: Core, outbox: Outbox) {
  const { siteName, origin, sessionLimits } = config;
  const queue = outbox.register('theft');
  const links = new RevocationLinks(redis);
  const writer = new MailWriter(look);

  return {
    /** @throws {RedisUnavailable} when it will not be sent */
    async send({ sessionId, email, signedInAt, remember }: Refused, req: Request): Promise<void> {
      const endsAt = absoluteEndOf({ signedInAt, remember }, sessionLimits);
      const token = await links.create({ sessionId, deviceId: noDevice }, endsAt);
      const mail = writer.write(email, `Somebody tried to use your session at ${siteName}`, {
        heading: `Somebody tried to use your session at ${siteName}`,
        lines: [
          `On ${formatTime(now())}, ${describeDevice(req.headers['user-agent'] ?? '')} sent the cookie of your session from ${formatTime(signedInAt)}, but not from the device that the session is bound to.`,
          'Nobody got in. The cookie alone is worthless, but somebody seems to have copied it.',
        ],
        link: {
          label: 'To be safe, end that session. You can then log in again:',
          button: 'End that session',
          url: `${origin}/end-session?token=${token}`,
        },
        last: [
          'Cookies are usually stolen by malware. Check the device that you logged in with before you use it again.',
        ],
      });
      const about = { id: req.id, person: tagIn(sessionId) };
      await queue.enqueue(mail, { priority: 'high', ttlSeconds, about, context: {} });
    },
  };
}
