/** Narrows the highest value down that passes a test, one test at a time, so that several searches can take turns. */
export class Search {
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
