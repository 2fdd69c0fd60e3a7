import type { Request } from 'express';
import { type Logger, requestFields } from '../../log.ts';
import type { RedisClient } from '../../redis/client.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { handleOf, tagIn } from '../../session/session-id.ts';
import { figures } from '../../shared/figures.ts';
import { personEvents } from '../../shared/person-events.ts';
import type { TheftMails } from './theft-mails.ts';
import { forgetTries, isSecondTry } from './tries.ts';

/** Why a request did not count as its session's. */
const reasons = [
  'no bound cookie',
  'bound cookie expired',
  'bound cookie wrong',
  'wrong key',
  'proof replayed',
  'registration not asked for',
  'registration signed by another key',
  'registration of a second key',
] as const;
export type Reason = (typeof reasons)[number];

const counter = {
  name: 'latchkey_bound_sessions_refused_total',
  help: 'Requests for a bound session that were refused for lack of a proof of its key, by reason',
};

/** What was refused: whose session, and when it signed in. */
export type Refused = { sessionId: string; email: EmailAddress; signedInAt: number; remember: boolean };

type Details = { reason: Reason; patienceMs: number; isTry: boolean; skipped?: string | undefined };

type Parts = { redis: RedisClient; log: Logger; mails: TheftMails | undefined };

/** Reports that somebody used a session without its key: in the log, as a metric, and to its owner. */
export class Refusals {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    for (const reason of reasons) figures.publish({ ...counter, labels: { reason }, add: 0 });
  }

  /**
   * Never fails: a request that is refused stays refused.
   * @param details.patienceMs for how long the owner's own browser may come like this; 0 if it never does
   * @param details.isTry whether it may be somebody else's try, of which the owner is told
   */
  async record(req: Request, refused: Refused, { reason, patienceMs, isTry, skipped }: Details): Promise<void> {
    const { redis, log, mails } = this.#parts;
    const { sessionId } = refused;
    const person = tagIn(sessionId);
    log.info({ ...requestFields(req), session: handleOf(sessionId), person, reason, skipped }, 'bound session refused');
    figures.publish({ ...counter, labels: { reason }, add: 1 });
    personEvents.publish({ log, person, request: req.id, what: `bound session refused: ${reason}`, isRefusal: true });
    try {
      if (!isTry || !(await isSecondTry(redis, sessionId, patienceMs))) return;
      await mails?.send(refused, req).catch(async (error: unknown) => {
        await forgetTries(redis, sessionId).catch(() => {});
        throw error;
      });
    } catch (err) {
      log.error({ id: req.id, err }, 'use of a bound session without its key not reported');
    }
  }
}
