import type { Delivered, Reply } from './delivery.ts';
import type { Limits } from './queue.ts';
import { jitter, type RetryPolicy } from './retry.ts';

/** What the mail server accepts from all processes together. */
export type ServerLimits = { connections: number; mailsPerMinute: number };

/** When it defers mail to this many domains in a row, that is the server's doing and not the recipients'. */
const maxDeferredDomains = 3;
/** How long a lower connection limit is respected before more are tried. */
const crowdedMs = 60_000;

/** Tracks how the mail server responds to this process, and when and how fast it may be sent mail. */
export class ServerHealth {
  readonly #policy: RetryPolicy;
  readonly #limits: ServerLimits;
  readonly #deferredDomains = new Set<string>();
  #failures = 0;
  #pausedUntil = 0;
  #ordinaryPausedUntil = 0;
  #ordinaryPauses = 0;
  #crowded: { connections: number; until: number } | undefined;

  constructor(policy: RetryPolicy, limits: ServerLimits) {
    this.#policy = policy;
    this.#limits = limits;
  }

  /** Milliseconds until mail may be tried again; 0: now. */
  get pausedMs(): number {
    return Math.max(0, this.#pausedUntil - performance.now());
  }

  /** The same for mail of the other lanes than `high`. */
  get ordinaryPausedMs(): number {
    return Math.max(this.pausedMs, this.#ordinaryPausedUntil - performance.now());
  }

  /** What may be leased now. */
  get limits(): Limits {
    const connections = this.pausedMs > 0 ? 0 : this.#connections;
    return {
      connections,
      // One connection is reserved for mail that strangers can't cause.
      ordinaryConnections: this.ordinaryPausedMs > 0 ? 0 : Math.max(1, connections - 1),
      connectionsPerDomain: Math.max(1, Math.floor(connections / 2)),
      mailsPerMinute: this.#limits.mailsPerMinute,
    };
  }

  // After failures a single mail finds out whether they are over.
  get #connections(): number {
    if (this.#failures > 0) return 1;
    if (this.#crowded && performance.now() >= this.#crowded.until) this.#crowded = undefined;
    return this.#crowded?.connections ?? this.#limits.connections;
  }

  noteAccepted(): void {
    this.#failures = 0;
    this.#ordinaryPauses = 0;
    this.#deferredDomains.clear();
  }

  /** Notes that the server accepts no mail. */
  noteUnavailable(): void {
    // Attempts that were in progress together fail together, and count once.
    if (this.pausedMs > 0) return;
    this.#pausedUntil = performance.now() + this.#pauseMs(this.#failures);
    this.#failures += 1;
  }

  /** Notes that the server accepts no more connections than the `others` that are open. */
  noteCrowded(others: number): void {
    if (others === 0) this.noteUnavailable();
    else {
      const connections = Math.max(1, Math.min(others, this.#connections - 1));
      this.#crowded = { connections, until: performance.now() + crowdedMs };
    }
  }

  /**
   * Notes that a mail was deferred. Usually that concerns its recipient alone. Only if the reply is about the server,
   * as when a quota is used up, and several domains in a row get it, does other mail have to wait. Even that may be a
   * stranger's doing, so mail of high priority goes on.
   */
  noteDeferred(domain: string, reply: Reply): void {
    if (!isAboutServer(reply)) return;
    this.#deferredDomains.add(domain);
    if (this.#deferredDomains.size < maxDeferredDomains) return;
    this.#ordinaryPausedUntil = performance.now() + this.#pauseMs(this.#ordinaryPauses);
    this.#ordinaryPauses += 1;
    this.#deferredDomains.clear();
  }

  #pauseMs(failures: number): number {
    const { minPauseMs, maxPauseMs } = this.#policy;
    return jitter(Math.min(maxPauseMs, minPauseMs * 2 ** Math.min(failures, 10)));
  }
}

/** Whether the server accepts mail: it took this one, or took its sender and objected to its recipient alone. */
export function showsAvailable({ outcome, reply }: Delivered): boolean {
  if (outcome === 'accepted') return true;
  return (outcome === 'deferred' || outcome === 'refused') && reply.command === 'RCPT TO' && !isAboutServer(reply);
}

// 421: it closes down; 452: out of storage or quota, unless that is the mailbox's (RFC 5321, 4.2.3; RFC 3463, 3.3).
// Greylisting and recipients' domains that don't resolve are 450 and 451, which any stranger can bring about.
function isAboutServer({ reply, enhanced }: Reply): boolean {
  return reply === 421 || (reply === 452 && !enhanced?.startsWith('4.2.'));
}
