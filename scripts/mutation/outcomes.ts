// Which mutants earlier runs killed, kept in .data/, so that `--again` tries only the others.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Mutant } from './mutants.ts';
import type { Outcome } from './scores.ts';

const file = '.data/mutation.json';

export class Outcomes {
  readonly #last: Record<string, Outcome> = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  readonly #keys: Map<Mutant, string>;
  readonly #now = new Map<Mutant, Outcome>();

  /** @param mutants all of each file: the same change may be made twice in a line */
  constructor(mutants: Mutant[]) {
    const seen = new Map<string, number>();
    const keyOf = ({ file, code, change }: Mutant) => {
      const key = [file, code, change].join(' | ');
      const count = (seen.get(key) ?? 0) + 1;
      seen.set(key, count);
      return `${key} | ${count}`;
    };
    this.#keys = new Map(mutants.map((mutant) => [mutant, keyOf(mutant)]));
  }

  get(mutant: Mutant): Outcome | undefined {
    return this.#now.get(mutant);
  }

  set(mutant: Mutant, outcome: Outcome): void {
    this.#now.set(mutant, outcome);
  }

  /** How a mutant was killed the last time. */
  last(mutant: Mutant): Outcome | undefined {
    return this.#last[this.#keys.get(mutant) ?? ''];
  }

  save(): void {
    for (const [mutant, outcome] of this.#now) {
      const key = this.#keys.get(mutant) ?? '';
      if (outcome === 'killed' || outcome === 'timed out') this.#last[key] = outcome;
      else if (outcome === 'survived') delete this.#last[key];
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(this.#last));
  }
}
