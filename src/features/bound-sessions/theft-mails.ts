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
import { boundCookieSeconds } from './bound-cookie.ts';
import type { Refused } from './refusals.ts';

const ttlSeconds = 86_400;

export type TheftMails = ReturnType<typeof theftMails>;

/** The mail to the owner of a session whose cookie comes without its key, with a link that ends the session. */
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
      const subject = `Requests for your session at ${siteName} were refused`;
      const mail = writer.write(email, subject, {
        heading: subject,
        lines: [
          `On ${formatTime(now())}, ${describeDevice(req.headers['user-agent'] ?? '')} sent the cookie of your session from ${formatTime(signedInAt)}, but did not prove that it is the device that the session is bound to.`,
          `This request was refused. If somebody has also copied your device's proof, they may have used your session for up to ${boundCookieSeconds / 60} minutes before that.`,
        ],
        link: {
          label: 'To be safe, end that session. You can then log in again:',
          button: 'End that session',
          url: `${origin}/end-session?token=${token}`,
        },
        last: [
          'If you have just been asked to log in again on your own device, its browser may have lost its key. In that case, nothing is wrong.',
          'Otherwise somebody seems to have copied the cookie, usually by malware. Check the device that you logged in with before you use it again.',
        ],
      });
      const about = { id: req.id, person: tagIn(sessionId) };
      await queue.enqueue(mail, { priority: 'high', ttlSeconds, about, context: {} });
    },
  };
}
