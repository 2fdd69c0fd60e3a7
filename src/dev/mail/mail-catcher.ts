import { type Courier, type Mail, openEnvelope } from '../../features/mail/delivery.ts';
import type { SealKeys } from '../../features/mail/seal.ts';

const kept = 20;

/** A mail server that only keeps what it is given: for trying out sign-in by code without one, in development. */
export class MailCatcher {
  /** The last mails, newest first. */
  readonly mails: Mail[] = [];

  /** Delivers to this list. */
  courier(keys: SealKeys): Courier {
    return {
      deliver: async (sealed) => {
        const opened = openEnvelope(keys, sealed);
        if (!opened) return { outcome: 'unreadable', reply: {} };
        const { mail, ...envelope } = opened;
        if (!sealed.isWithheld) {
          this.mails.unshift(mail);
          this.mails.splice(kept);
        }
        return { outcome: 'accepted', reply: {}, envelope };
      },
      breakOff: () => {},
      check: async () => undefined,
      close: async () => {},
    };
  }
}
