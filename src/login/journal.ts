import type { Request } from 'express';
import { signIns } from '../channels.ts';
import type { Logger } from '../log.ts';
import { handleOf, tagOf } from '../session/record.ts';
import type { MailRefusal } from './throttle.ts';

/** Notes that a sign-in is stored (ASVS 16.3.1), by the session's public handle. */
export function noteSignedIn(log: Logger, req: Request, email: string): void {
  log.info({ id: req.id, session: handleOf(req.sessionID), person: tagOf(email) }, 'signed in');
  signIns.tell({ outcome: 'signed in' });
}

/** Notes that no code is mailed, of which the visitor learns nothing. */
export function noteKeptBack(log: Logger, req: Request, reason: MailRefusal, email: string): void {
  const about = { id: req.id, person: tagOf(email), reason };
  // Of the others an address or its visitors are the cause; of this one the whole site is out of mail.
  if (reason === 'MAILS_PER_HOUR') log.error(about, 'code kept back');
  else log.info(about, 'code kept back');
  signIns.tell({ outcome: `code kept back: ${reason}` });
}

/** Notes that a sign-in was refused (ASVS 16.3.1). */
export function noteRefused(log: Logger, req: Request, reason: string, email?: string): void {
  log.info({ id: req.id, reason, ...(email !== undefined && { person: tagOf(email) }) }, 'sign-in refused');
  signIns.tell({ outcome: reason });
}
