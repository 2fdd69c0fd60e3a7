import { now } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { tagOf } from '../../session/session-id.ts';
import type { Cause } from '../email-code/code-mails.ts';
import type { Outbox } from '../mail/outbox.ts';
import { undoSeconds } from './accounts.ts';
import type { PasskeyMailTemplates } from './mail-templates.ts';
import { handleOf, type Owned } from './record.ts';
import { removeLinkSeconds, type UndoLinks } from './undo-links.ts';

type Parts = { outbox: Outbox; templates: PasskeyMailTemplates; links: UndoLinks; redis: RedisClient; log: Logger };

const ttlSeconds = 86_400;

export type PasskeyMails = ReturnType<typeof passkeyMails>;

/** The mails about passkeys, each with a link that undoes what it tells of. */
export function passkeyMails({ outbox, templates, links, redis, log }: Parts) {
  const queue = outbox.register('passkey');

  async function send(
    write: 'added' | 'removed' | 'restored' | 'counter',
    { email, userHandle, restoreKey, passkey }: Owned,
    { requestId, device, origin }: Cause,
  ): Promise<void> {
    const isRemoved = write === 'removed';
    const undo = { action: isRemoved ? 'restore' : 'remove', email, passkey, userHandle, restoreKey } as const;
    const token = await links.create(undo, isRemoved ? undoSeconds : removeLinkSeconds);
    const url = `${origin}/passkeys/undo?token=${token}`;
    const mail = templates[write]({ to: email, passkey, device, url, now: now() });
    const about = { id: requestId, person: tagOf(email) };
    await queue.enqueue(mail, { priority: 'high', ttlSeconds, about, context: {} });
  }

  return {
    /** @throws {RedisUnavailable} when nobody will be told, so that nothing may be added */
    sendAdded: (owned: Owned, cause: Cause): Promise<void> => send('added', owned, cause),

    /** @throws {RedisUnavailable} when nobody will be told, so that nothing may be removed */
    sendRemoved: (owned: Owned, cause: Cause): Promise<void> => send('removed', owned, cause),

    /** @throws {RedisUnavailable} when nobody will be told, so that nothing may be restored */
    sendRestored: (owned: Owned, cause: Cause): Promise<void> => send('restored', owned, cause),

    /** Reports a counter that went backwards, once a day for each passkey. It logs its failures, and costs nobody a sign-in. */
    async sendCounter(owned: Owned, cause: Cause): Promise<void> {
      const key = `p:{${tagOf(owned.email)}}warned:${handleOf(owned.passkey.id)}`;
      const options = { condition: 'NX', expiration: { type: 'EX', value: ttlSeconds } } as const;
      try {
        if ((await withDeadline(deadlineMs, redis.set(key, '', options))) !== 'OK') return;
        await send('counter', owned, cause).catch(async (error: unknown) => {
          // The next sign-in should be reported.
          await withDeadline(deadlineMs, redis.del(key)).catch(() => {});
          throw error;
        });
      } catch (err) {
        log.error({ id: cause.requestId, err }, 'notice of a passkey whose counter went backwards not sent');
      }
    },
  };
}
