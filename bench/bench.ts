import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { NodeProgram } from '../scripts/nodes.ts';
import type { Loader } from './load.ts';
import type { BenchRedis } from './redis.ts';

/** What every part of the bench works with. */
export type Bench = {
  node: NodeProgram;
  redis: BenchRedis;
  loader: Loader;
  rounds: number;
  seconds: number;
  connections: number;
};

/**
 * On Node 24, V8 has compiled what a page runs only after some six seconds of load; until then it takes twice the CPU. A
 * single round publishes nothing, so nobody has to wait for that.
 */
export function warmUpSeconds({ rounds }: Pick<Bench, 'rounds'>): number {
  return rounds > 1 ? 8 : 1;
}

const resultsDirectory = new URL('results/', import.meta.url);
const packages = [
  ...['express', 'express-session', 'connect-redis', 'redis', 'helmet', 'ejs', 'fastify', '@fastify/session'],
  ...['@fastify/cookie', '@fastify/helmet', '@fastify/view', 'iron-session', 'autocannon'],
];

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 0 ? (upper + (sorted[middle - 1] ?? Number.NaN)) / 2 : upper;
}

/** What was measured once in each round. A table shows its median and its spread, such as "0.38 (0.36–0.41)". */
export type Samples = {
  values: number[];
  digits: number;
  /** What they are compared with, such as 1 for ratios. The table says when they spread too wide to tell. */
  comparedWith?: number;
};

/** Text stands for what is known without measuring, or was counted. */
type Cell = string | Samples;
export type Table = { head: string[]; rows: Cell[][] };

/** A result that rests on fewer rounds is shown, but not published. */
const minRounds = 3;

/** @param digits after the decimal point */
export function samples(values: number[], digits = 2): Samples {
  return { values, digits };
}

/** Each round's own value divided by the other's of the same round. */
export function ratios(own: number[], other: number[]): Samples {
  const values = own.map((value, round) => value / (other[round] ?? Number.NaN));
  return { values, digits: 2, comparedWith: 1 };
}

/** Whether a goal was met, such as "at most 0.40: met", and whether that is sure. */
export function verdict(values: number[], atMost: number): string {
  const word = median(values) <= atMost ? 'met' : 'missed';
  return `at most ${atMost.toFixed(2)}: ${word}${isSure(values, atMost) ? '' : ', not sure'}`;
}

/** Whether the values lie further from a reference than they lie apart. */
function isSure(values: number[], reference: number): boolean {
  return Math.max(...values) - Math.min(...values) <= Math.abs(median(values) - reference);
}

function shown(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  const { values, digits, comparedWith } = cell;
  // Some systems don't tell how much CPU time a process has used.
  if (values.some(Number.isNaN)) return '';
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(digits),
  );
  const doubt = comparedWith === undefined || isSure(values, comparedWith) ? '' : ', not sure';
  return `${middle} (${least}–${most})${doubt}`;
}

/** A markdown table whose numbers are aligned to the right. */
function render({ head, rows }: Table): string {
  const lines = [head, ...rows.map((row) => row.map(shown))];
  const widths = head.map((_, column) => Math.max(4, ...lines.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  const [padded = '', ...others] = lines.map((cells) =>
    line(
      cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))),
    ),
  );
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [padded, line(rule), ...others].join('\n');
}

/** What was measured together, in one line. */
export function versions({ node, redis }: Pick<Bench, 'node' | 'redis'>): string {
  const installed = packages.map((name) => {
    const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url);
    return `${name} ${JSON.parse(readFileSync(manifest, 'utf8')).version}`;
  });
  return [`Node ${node.version}`, `Redis ${redis.version}`, ...installed].join(', ');
}

/**
 * Shows a result, and keeps it under `bench/results/` unless a figure in it rests on too few rounds.
 * @param options.isSingleRun for counts, and for memory, which is measured once
 * @param options.flaw what speaks against publishing this result
 * @returns whether it was kept
 * @throws if nothing was measured in rounds and it isn't said to be a single run
 */
export function publish(
  name: string,
  parts: (string | Table)[],
  { isSingleRun, flaw, directory }: { isSingleRun?: boolean; flaw?: string | undefined; directory?: URL } = {},
): boolean {
  const text = parts.map((part) => (typeof part === 'string' ? part : render(part))).join('\n\n');
  const cells = parts.flatMap((part) => (typeof part === 'string' ? [] : part.rows.flat()));
  const rounds = cells.flatMap((cell) => (typeof cell === 'string' ? [] : [cell.values.length]));
  if (rounds.length === 0 && !isSingleRun) throw new Error(`${name} holds no samples`);
  console.log(`\n${text}`);
  const problem = Math.min(...rounds) < minRounds ? `it takes at least ${minRounds} rounds` : flaw;
  if (problem !== undefined) {
    console.log(`(not published: ${problem})`);
    return false;
  }
  save(name, `${text}\n`, directory);
  return true;
}

/** Keeps a file under `bench/results/`, such as the chart of a published result. */
export function save(name: string, text: string, directory = resultsDirectory): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(new URL(name, directory), text);
  console.log(`(bench/results/${name})`);
}
