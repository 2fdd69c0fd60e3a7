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

/** The median with the least and the most, such as "0.38 (0.36–0.41)". */
export function spread(values: number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`;
}

/** A markdown table whose numbers stand to the right. */
export function table(head: string[], rows: string[][]): string {
  const widths = head.map((_, column) => Math.max(4, ...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  const padded = (cells: string[]): string =>
    line(
      cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))),
    );
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [padded(head), line(rule), ...rows.map(padded)].join('\n');
}

/** What was measured together, in one line. */
export function versions({ node, redis }: Bench): string {
  const installed = packages.map((name) => {
    const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url);
    return `${name} ${JSON.parse(readFileSync(manifest, 'utf8')).version}`;
  });
  return [`Node ${node.version}`, `Redis ${redis.version}`, ...installed].join(', ');
}

/** Shows a result and keeps it under `bench/results/`. */
export function publish(name: string, text: string): void {
  const directory = new URL('results/', import.meta.url);
  mkdirSync(directory, { recursive: true });
  writeFileSync(new URL(name, directory), `${text}\n`);
  if (name.endsWith('.md')) console.log(`\n${text}`);
  console.log(`(bench/results/${name})`);
}
