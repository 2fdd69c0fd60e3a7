import type { RedisClient } from '../../redis/client.ts';
import type { PersonalKeys } from '../../shared/operations.ts';
import { type Envelope, openEnvelope } from './delivery.ts';
import { Queue } from './queue.ts';
import type { SealKeys } from './seal.ts';

const prefix = '{outbox}:mail:';

/** Mail that waits to be delivered, encrypted. The export says what it is, and not what is in it: that may be a code. */
export function queuedMailKeys(redis: RedisClient, keys: SealKeys): PersonalKeys {
  const queue = new Queue(redis, 'operator');
  function readEnvelope(mail: { id: string; sealed: string }): Envelope | undefined {
    try {
      return openEnvelope(keys, { ...mail, isWithheld: false, hasLapsed: false });
    } catch {
      return undefined;
    }
  }
  return {
    kind: 'mails',
    prefix,
    describe(name, value, { email }) {
      const { sealed, asked } = value as Record<string, string | undefined>;
      const id = name.slice(prefix.length);
      const envelope = sealed === undefined ? undefined : readEnvelope({ id, sealed });
      if (envelope?.mail.to !== email) return undefined;
      return { mail: envelope.kind, askedFor: new Date(Number(asked)) };
    },
    forget: (name) => queue.finish(name.slice(prefix.length)),
  };
}
