const maxAgeMs = 60_000;

/**
 * What was worked out lately, each under its key. It is bounded in size and in time: when the newer of two generations is
 * full, and every minute, the older one is dropped. What was added is therefore gone after two minutes, even if the process
 * is idle.
 */
export class Recent<Value> {
  readonly #maxSize: number;
  #newer = new Map<string, Value>();
  #older = new Map<string, Value>();
  #timer: NodeJS.Timeout | undefined;

  /** @param maxSize of each of the two generations */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  find(key: string): Value | undefined {
    return this.#newer.get(key) ?? this.#older.get(key);
  }

  add(key: string, value: Value): void {
    if (this.#newer.size >= this.#maxSize && !this.#newer.has(key)) this.#startGeneration();
    this.#newer.set(copyOf(key), value);
    this.#startTimer();
  }

  #startGeneration(): void {
    this.#older = this.#newer;
    this.#newer = new Map();
  }

  #startTimer(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#startGeneration();
      if (this.#older.size > 0) this.#startTimer();
    }, maxAgeMs).unref();
  }
}

/** A copy, because a piece of a longer text keeps all of that in memory. */
export function copyOf(text: string): string {
  return Buffer.from(text).toString();
}
