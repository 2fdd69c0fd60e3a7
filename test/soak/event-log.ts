import { deadlineMs } from '../../src/redis/deadline.ts';
import { requireRefusalInWords } from '../support/load.ts';
import type { Visit, Visitor } from '../support/visitor.ts';
import type { Span } from './known-session.ts';

const answerWithinMs = deadlineMs + 1000;

/** `mayBeUntouched`: Redis took no writes, so that the idle limit may not have moved on. */
export type Answer = Visit & Span & { mayBeUntouched: boolean };

/** What was asked and answered, and what must not have been answered so. */
export class Journal {
  readonly complaints: string[] = [];
  readonly requests = new Map<string, { requests: number; refused: number; 'slowest ms': number }>();
  /** The fault of now, or the last one. */
  fault = 'no fault yet';
  /** When that was over for every app, in milliseconds since the epoch; undefined while it is not. */
  calmSince: number | undefined = 0;
  /** Until when Redis may have refused writes, and nothing else. */
  untouchedUntil = 0;
  readonly #startedAt = Date.now();

  complain(text: string): void {
    const seconds = ((Date.now() - this.#startedAt) / 1000).toFixed(1);
    const weather = `${this.calmSince === undefined ? 'during' : 'after'} ${this.fault}`;
    this.complaints.push(`${seconds} s, ${weather}: ${text}`);
  }

  /** Sends a request, and writes down what comes back. */
  async ask(what: string, visitor: Visitor, send: () => Promise<Visit>): Promise<Answer> {
    const cookiesBefore = visitor.cookieHeader;
    const from = Date.now();
    const visit = await send();
    const to = Date.now();
    const line = this.requests.get(what) ?? { requests: 0, refused: 0, 'slowest ms': 0 };
    this.requests.set(what, line);
    line.requests += 1;
    line['slowest ms'] = Math.max(line['slowest ms'], to - from);
    if (to - from > answerWithinMs) this.complain(`${what}: answered after ${to - from} ms`);
    if (visit.status === 503) {
      line.refused += 1;
      requireRefusalInWords(visit);
      // One that was there may get a later expiry.
      if (visitor.cookieHeader !== cookiesBefore) this.complain(`${what}: a 503 changed the cookies`);
      if (this.calmSince !== undefined && from >= this.calmSince) this.complain(`${what}: 503 without a fault`);
    } else if (visit.status >= 500) this.complain(`${what}: ${visit.status}`);
    return { ...visit, from, to, mayBeUntouched: from <= this.untouchedUntil };
  }
}
