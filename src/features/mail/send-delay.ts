/** Between two mails to one address. */
const gapMs = 20;

/**
 * Delays mail by a random time. Sending mail takes CPU time, which may slow down the next requests and so tell a
 * stranger whether an address gets mail (ASVS 6.3.8). Mails to one address become due in the order in which they were
 * requested, because of two codes only the newer one is valid. Over one connection, they are delivered in that order as
 * well; over several, a later mail may overtake an earlier one under load.
 */
export class SendDelay {
  readonly #maxMs: number;
  /** When the newest mail to an address is due, until that time. */
  readonly #dueAt = new Map<string, number>();

  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  /** How long the next mail to this address waits, in milliseconds. */
  nextMs(address: string): number {
    const now = performance.now();
    const previous = this.#dueAt.get(address) ?? Number.NEGATIVE_INFINITY;
    const dueAt = Math.max(now + Math.random() * this.#maxMs, previous + gapMs);
    this.#dueAt.set(address, dueAt);
    setTimeout(() => this.#forget(address, dueAt), dueAt - now).unref();
    return Math.ceil(dueAt - now);
  }

  #forget(address: string, dueAt: number): void {
    if (this.#dueAt.get(address) === dueAt) this.#dueAt.delete(address);
  }
}
