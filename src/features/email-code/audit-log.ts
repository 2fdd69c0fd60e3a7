import { signIns } from '../../diagnostics.ts';
import type { Logger } from '../../log.ts';
import { tagOf } from '../../session/session-id.ts';
import type { WithheldReason } from './rate-limits.ts';

/** Records that no code was mailed, which the visitor is not told. */
export function auditMailWithheld(log: Logger, requestId: string, reason: WithheldReason, email: string): void {
  const about = { id: requestId, person: tagOf(email), reason };
  // An address or its visitors cause the others; this one means that nobody new can sign in.
  if (reason === 'MAILS_PER_HOUR') log.error(about, 'code kept back');
  else log.info(about, 'code kept back');
  signIns.publish({ outcome: `code kept back: ${reason}` });
}
