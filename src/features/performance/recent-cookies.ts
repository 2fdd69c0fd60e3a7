/** Enough for the visitors of a busy process. Two generations of this many take two megabytes. */
const maxCookies = 5000;
const maxAgeMs = 60_000;

/**
 * Cookies whose signature was verified lately, each with its session id. Only genuine ones are kept, under their whole
 * value, so nothing but the very same cookie is ever found. That says only who signed it: whether its session still
 * exists, the store is asked on every request.
 *
 * It is bounded in size and in time: when the newer generation is full, or a minute old, the older one is dropped.
 */
export class RecentCookies {
  #newer = new Map<string, string>();
  #older = new Map<string, string>();
  #startedAt = performance.now();

  /** The session id in a cookie that was verified less than two minutes ago. */
  find(cookie: string): string | undefined {
    if (performance.now() - this.#startedAt >= maxAgeMs) this.#startGeneration();
    return this.#newer.get(cookie) ?? this.#older.get(cookie);
  }

  /** @param cookie verified */
  add(cookie: string, sessionId: string): void {
    if (this.#newer.size >= maxCookies) this.#startGeneration();
    // Copies, because a piece of a header keeps the whole header in memory.
    this.#newer.set(copy(cookie), copy(sessionId));
  }

  #startGeneration(): void {
    const now = performance.now();
    const ageMs = now - this.#startedAt;
    // After an idle spell, the newer generation is too old as well.
    const isStale = ageMs >= 2 * maxAgeMs;
    this.#older = isStale ? new Map() : this.#newer;
    this.#newer = new Map();
    // A late turn does not lengthen the time of the older one.
    this.#startedAt = isStale || ageMs < maxAgeMs ? now : this.#startedAt + maxAgeMs;
  }
}

function copy(text: string): string {
  return Buffer.from(text).toString();
}
