import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Mutant } from './mutants.ts';

export type Outcome = 'killed' | 'timed out' | 'survived' | 'not covered' | 'equivalent' | 'message';

const results = resolve('bench/results/mutation.md');
export const heading = '| folder | mutants | killed | timed out | survived | not covered | equivalent | score, % |';
const columns: Outcome[] = ['killed', 'timed out', 'survived', 'not covered', 'equivalent'];
const head = `# Mutation testing

Each mutant is one small change of the source; it is killed when a test fails. Changes that only reword an error or a
line of the log are left out. The score is the share that was killed or ran into a time limit, of those that are not
equivalent to the source.

${heading}
${heading.replaceAll(/[^|]+/g, ' --- ')}
`;

/** The share in percent that was found; 100 if there was nothing to find. */
export function scoreOf(outcomes: Outcome[]): number {
  const count = (...wanted: Outcome[]) => outcomes.filter((outcome) => wanted.includes(outcome)).length;
  const found = count('killed', 'timed out');
  const missed = count('survived', 'not covered');
  return missed === 0 ? 100 : (100 * found) / (found + missed);
}

export function rowOf(folder: string, outcomes: Outcome[]): string {
  const counts = columns.map((column) => outcomes.filter((outcome) => outcome === column).length);
  const all = outcomes.filter((outcome) => outcome !== 'message').length;
  return `| ${[folder, all, ...counts, scoreOf(outcomes).toFixed(1)].join(' | ')} |`;
}

/** Replaces the row of a folder in the published results. */
export function publish(folder: string, row: string): void {
  const rows = (existsSync(results) ? readFileSync(results, 'utf8') : '')
    .split('\n')
    .filter((line) => /^\| src\//.test(line));
  const others = rows.filter((line) => !line.startsWith(`| ${folder} |`));
  writeFileSync(results, `${head}${[...others, row].sort().join('\n')}\n`);
}

/** A mutant as a person looks it up. */
export function print(outcome: string, { file, line, change }: Mutant, more = ''): void {
  console.log(
    `${outcome.padEnd(12)}${file}:${line}  ${change}${more && `  (${more.slice(0, 100).replaceAll(/\s+/g, ' ')})`}`,
  );
}
