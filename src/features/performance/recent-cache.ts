import { copyOf } from '../../shared/copy-of.ts';

const maxAgeMs = 60_000;

/**
 * A cache, bounded in size and time. It has two generations: the older one is dropped when the newer one is full, and every
 * minute. An entry is gone after two minutes at the latest.
 */
export class RecentCache<Value> {
  readonly #maxSize: number;
  #newer = new Map<string, Value>();
  #older = new Map<string, Value>();
  #timer: NodeJS.Timeout | undefined;

  /** @param maxSize of each of the two generations */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  get(key: string): Value | undefined {
    return this.#newer.get(key) ?? this.#older.get(key);
  }

  set(key: string, value: Value): void {
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
