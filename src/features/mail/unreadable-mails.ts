/** The delay of a mail that one process could not decrypt, since another may have the secret. */
export const unreadableDelayMs = 100;
const maxMails = 1000;

/**
 * Mails that this process could not decrypt, and leaves for a while to processes that may have the secret. It would
 * otherwise claim the same mail again and again before they do.
 */
export class UnreadableMails {
  readonly #until = new Map<string, number>();

  avoid(id: string, ms: number): void {
    this.#until.set(id, performance.now() + ms);
    const [oldest] = this.#until.keys();
    if (this.#until.size > maxMails && oldest !== undefined) this.#until.delete(oldest);
  }

  /** The ids of the mails that are not to be claimed now. */
  ids(): string[] {
    const now = performance.now();
    for (const [id, until] of this.#until) if (until <= now) this.#until.delete(id);
    return [...this.#until.keys()];
  }

  /** @returns milliseconds until the first of them is tried again; infinite if there is none */
  nextMs(): number {
    return Math.min(...this.#until.values()) - performance.now();
  }
}
