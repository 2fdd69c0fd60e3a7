import type { Request } from 'express';
import { signIns } from '../diagnostics.ts';
import type { WithheldReason } from '../features/email-code/rate-limits.ts';
import type { Logger } from '../log.ts';
import { handleOf, tagOf } from './record.ts';

/** Notes that a sign-in is stored (ASVS 16.3.1), by the session's public handle. */
export function auditSignedIn(log: Logger, req: Request, email: string): void {
  log.info({ id: req.id, session: handleOf(req.sessionID), person: tagOf(email) }, 'signed in');
  signIns.publish({ outcome: 'signed in' });
}

/** Notes that no code is mailed, of which the visitor learns nothing. */
export function auditMailWithheld(log: Logger, req: Request, reason: WithheldReason, email: string): void {
  const about = { id: req.id, person: tagOf(email), reason };
  // Of the others an address or its visitors are the cause; of this one the whole site is out of mail.
  if (reason === 'MAILS_PER_HOUR') log.error(about, 'code kept back');
  else log.info(about, 'code kept back');
  signIns.publish({ outcome: `code kept back: ${reason}` });
}

/** Notes that a sign-in was refused (ASVS 16.3.1). */
export function auditRefused(log: Logger, req: Request, reason: string, email?: string): void {
  log.info({ id: req.id, reason, ...(email !== undefined && { person: tagOf(email) }) }, 'sign-in refused');
  signIns.publish({ outcome: reason });
}
