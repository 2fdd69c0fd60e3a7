import type { EmailAddress } from '../../session/email-address.ts';
import { tagOf } from '../../session/session-id.ts';
import type { Counter, Limit } from '../rate-limits/take-points.ts';

/**
 * How often passkeys may be used (ASVS 6.3.1). A signature cannot be guessed, so an answer that proves a passkey is never
 * refused because of what others did: failures only slow down whoever goes on failing, and only whoever has a passkey can
 * use up its sign-ins.
 */
export const passkeyLimits = {
  /** Answers that prove nothing, per client. */
  failuresPerClient: [
    { points: 100, seconds: 600 },
    { points: 1000, seconds: 86_400 },
  ],
  /** Sign-ins with one passkey: each may cause a mail, and ends another session of the address once there are many. */
  signInsPerPasskey: [
    { points: 30, seconds: 600 },
    { points: 300, seconds: 86_400 },
  ],
  /** Passkeys added to an address, each of which causes a mail. */
  addedPerAddress: [{ points: 40, seconds: 86_400 }],
  /** Passkeys removed from an address, which causes a mail as well. The link in a mail removes one without it. */
  removedPerAddress: [{ points: 40, seconds: 86_400 }],
  /** Passkeys restored by the link in a mail, which causes another mail. */
  restoredPerAddress: [{ points: 40, seconds: 86_400 }],
} as const;

/** The counters that hold an address to one of these limits. */
export function countersOf(
  email: EmailAddress,
  what: string,
  limit: Exclude<keyof typeof passkeyLimits, 'failuresPerClient'>,
): Counter[] {
  const limits: readonly Limit[] = passkeyLimits[limit];
  return limits.map(({ points, seconds }) => ({ key: `l:{${tagOf(email)}}${what}:${seconds}`, points, seconds }));
}
