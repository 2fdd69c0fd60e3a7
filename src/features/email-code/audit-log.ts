import { signIns } from '../../diagnostics.ts';
import type { Logger } from '../../log.ts';
import { tagOf } from '../../session/session-id.ts';
import { personEvents } from '../../shared/person-events.ts';
import { announceOutcomes } from '../../shared/sign-in-outcomes.ts';
import { type WithheldReason, withheldReasons } from './rate-limits.ts';
import type { Client } from './service.ts';

/** Lets the outcomes of sign-ins by code be counted from zero on. */
export function announceCodeOutcomes(): void {
  announceOutcomes('signed in', 'not an address', 'not a code', 'wrong code', 'code no longer good');
  announceOutcomes('too often', 'enough guesses for now', 'no code is waited for');
  announceOutcomes(...withheldReasons.map(withheldOutcome));
}

/**
 * Records that a code was asked for, and why none was mailed, which the visitor is not told.
 * @param reason undefined if one was mailed
 */
export function auditAsked(
  log: Logger,
  { requestId, ip }: Pick<Client, 'requestId' | 'ip'>,
  reason: WithheldReason | undefined,
  email: string,
): void {
  const person = tagOf(email);
  const what = reason === undefined ? 'code asked for' : withheldOutcome(reason);
  personEvents.publish({ log, person, request: requestId, what });
  if (reason === undefined) return;
  // An address or its visitors cause the others; this one means that nobody new can sign in.
  const level = reason === 'MAILS_PER_HOUR' ? 'error' : 'info';
  log[level]({ id: requestId, ip, person, reason }, 'code withheld');
  signIns.publish({ outcome: what });
}

function withheldOutcome(reason: WithheldReason): string {
  return `code withheld: ${reason}`;
}
