import { type RetryPolicy, spread } from './retry.ts';

/** Deferred in a row, with nothing accepted in between: more is the server's doing than the recipients'. */
const maxDeferredDomains = 3;
/** How long a smaller number of connections is believed in. */
const crowdedMs = 60_000;

/** What this process makes of the mail server, from how it takes mail. */
export class ServerHealth {
  readonly #policy: RetryPolicy;
  readonly #maxConnections: number;
  readonly #deferredDomains = new Set<string>();
  #failures = 0;
  #pausedUntil = 0;
  #ordinaryPausedUntil = 0;
  #ordinaryPauses = 0;
  #crowded: { connections: number; until: number } | undefined;

  constructor(policy: RetryPolicy, maxConnections: number) {
    this.#policy = policy;
    this.#maxConnections = maxConnections;
  }

  /** Milliseconds until mail may be tried again; 0: now. */
  get pausedMs(): number {
    return Math.max(0, this.#pausedUntil - Date.now());
  }

  /** The same for mail of the other lanes than `high`. */
  get ordinaryPausedMs(): number {
    return Math.max(this.pausedMs, this.#ordinaryPausedUntil - Date.now());
  }

  /** How many mails may be under way; of a server in trouble one finds out whether it is over. */
  get connections(): number {
    if (this.#failures > 0) return 1;
    if (this.#crowded && Date.now() >= this.#crowded.until) this.#crowded = undefined;
    return this.#crowded?.connections ?? this.#maxConnections;
  }

  noteAccepted(): void {
    this.#failures = 0;
    this.#ordinaryPauses = 0;
    this.#deferredDomains.clear();
  }

  /** Notes that the server takes no mail. */
  noteUnavailable(): void {
    // Mails that were under way together fail together, and count once.
    if (this.pausedMs > 0) return;
    this.#pausedUntil = Date.now() + this.#pauseMs(this.#failures);
    this.#failures += 1;
  }

  /** Notes that the server has all the connections that it takes; `others` are under way. */
  noteCrowded(others: number): void {
    if (others === 0) this.noteUnavailable();
    else {
      const connections = Math.max(1, Math.min(others, this.connections - 1));
      this.#crowded = { connections, until: Date.now() + crowdedMs };
    }
  }

  /**
   * Notes that a mail was deferred. That is between its recipient and the server, unless everybody's mail is: then
   * the server wants a rest, as when a quota is used up. Who controls a few domains can bring that about, so mail of
   * high priority goes on.
   */
  noteDeferred(domain: string): void {
    this.#deferredDomains.add(domain);
    if (this.#deferredDomains.size < maxDeferredDomains) return;
    this.#ordinaryPausedUntil = Date.now() + this.#pauseMs(this.#ordinaryPauses);
    this.#ordinaryPauses += 1;
    this.#deferredDomains.clear();
  }

  #pauseMs(failures: number): number {
    const { minPauseMs, maxPauseMs } = this.#policy;
    return spread(Math.min(maxPauseMs, minPauseMs * 2 ** Math.min(failures, 10)));
  }
}
