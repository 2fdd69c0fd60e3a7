/** Numbers that follow from a seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Numbers of their own, so that how many are drawn there changes nothing here. */
  branch(): Random {
    return new Random(this.#draw());
  }

  chance(probability: number): boolean {
    return this.#draw() < probability * 2 ** 32;
  }

  /** A whole number; both ends are among them. */
  between(least: number, most: number): number {
    return least + Math.floor((this.#draw() / 2 ** 32) * (most - least + 1));
  }

  pick<Choice>(choices: readonly Choice[]): Choice | undefined {
    return choices[this.between(0, choices.length - 1)];
  }

  /** One of the names, the likelier the greater its weight. */
  pickByWeight<Name extends string>(weights: Record<Name, number>): Name {
    const entries = Object.entries(weights) as [Name, number][];
    let left = this.between(
      1,
      entries.reduce((sum, [, weight]) => sum + weight, 0),
    );
    const found = entries.find(([, weight]) => {
      left -= weight;
      return left <= 0;
    });
    if (!found) throw new Error('there is nothing to pick from');
    return found[0];
  }

  #draw(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
}
