/** Finds the highest value that passes a test by bisection, one test at a time, so that several can take turns. */
export class Bisection {
  #passed = 0;
  #failed: number;

  /** @param ceiling a value that fails for sure */
  constructor(ceiling: number) {
    this.#failed = ceiling;
  }

  /** What to try now. */
  get next(): number {
    return (this.#passed + this.#failed) / 2;
  }

  /** Takes the outcome of `next`. */
  take(hasPassed: boolean): void {
    if (hasPassed) this.#passed = this.next;
    else this.#failed = this.next;
  }
}
