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

  /**
   * Stores the next mail to this address.
   * @param store is given how long the mail waits from when it is stored, in milliseconds
   * @returns that time
   */
  async store(address: string, store: (delayMs: number) => Promise<void>): Promise<number> {
    const now = performance.now();
    const previous = this.#dueAt.get(address) ?? Number.NEGATIVE_INFINITY;
    const delayMs = Math.ceil(Math.max(Math.random() * this.#maxMs, previous + gapMs - now));
    this.#note(address, now + delayMs);
    await store(delayMs);
    // Storing it may have taken longer than the gap.
    this.#note(address, performance.now() + delayMs);
    return delayMs;
  }

  #note(address: string, dueAt: number): void {
    if (dueAt < (this.#dueAt.get(address) ?? Number.NEGATIVE_INFINITY)) return;
    this.#dueAt.set(address, dueAt);
    setTimeout(() => this.#forget(address, dueAt), Math.max(0, dueAt - performance.now())).unref();
  }

  #forget(address: string, dueAt: number): void {
    if (this.#dueAt.get(address) === dueAt) this.#dueAt.delete(address);
  }
}
