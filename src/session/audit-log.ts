import type { Request } from 'express';
import { signIns } from '../diagnostics.ts';
import type { Logger } from '../log.ts';
import { handleOf, tagOf } from './session-id.ts';

/** Records a stored sign-in (ASVS 16.3.1), by the session's public handle. */
export function auditSignedIn(log: Logger, req: Request, email: string): void {
  log.info({ id: req.id, session: handleOf(req.sessionID), person: tagOf(email) }, 'signed in');
  signIns.publish({ outcome: 'signed in' });
}

/** Records a refused sign-in (ASVS 16.3.1). */
export function auditRefused(log: Logger, req: Request, reason: string, email?: string): void {
  log.info({ id: req.id, reason, ...(email !== undefined && { person: tagOf(email) }) }, 'sign-in refused');
  signIns.publish({ outcome: reason });
}
