const maxAgeMs = 60_000;

/**
 * What was worked out lately, by the texts that it was worked out from. It is bounded in size and in time: when the newer
 * generation is full, or a minute old, the older one is dropped.
 */
export class Recent<Value> {
  readonly #maxSize: number;
  #newer = new Map<string, Value>();
  #older = new Map<string, Value>();
  #startedAt = performance.now();

  /** @param maxSize of each of the two generations */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** What was added less than two minutes ago. */
  find(text: string): Value | undefined {
    if (performance.now() - this.#startedAt >= maxAgeMs) this.#startGeneration();
    return this.#newer.get(text) ?? this.#older.get(text);
  }

  add(text: string, value: Value): void {
    if (this.#newer.size >= this.#maxSize && !this.#newer.has(text)) this.#startGeneration();
    // A copy, because a piece of a longer text keeps all of that in memory.
    this.#newer.set(Buffer.from(text).toString(), value);
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
