import { type Bench, publish, ratios, samples, verdict, versions, warmUpSeconds } from './bench.ts';
import type { RunningServer } from './servers.ts';

/** Something that visitors do. */
export type Path = {
  name: string;
  /** Does it several times, and says how often. What it does before and after is not measured. */
  run: () => Promise<number>;
  before?: () => Promise<void>;
  after?: () => void;
  /** The goal, in signed-in pages. */
  atMost?: number;
};

/**
 * The CPU time of each path as a multiple of a page's, all measured in turn.
 * @param options.file where the result goes under `bench/results/`
 * @param options.notes what else a reader must know
 */
export async function comparePaths(
  bench: Bench,
  {
    server,
    page,
    others,
    file,
    title,
    notes,
  }: {
    server: RunningServer<string>;
    page: Path;
    others: Path[];
    file: string;
    title: string;
    notes: string;
  },
): Promise<void> {
  const paths = [page, ...others];
  const costs = new Map<Path, number[]>(paths.map((path) => [path, []]));
  const warmUpRounds = Math.ceil(warmUpSeconds(bench) / bench.seconds);
  for (let round = 1 - warmUpRounds; round <= bench.rounds; round += 1) {
    for (const path of paths) {
      await path.before?.();
      const before = await server.cpuMicroseconds();
      const times = await path.run();
      const cost = ((await server.cpuMicroseconds()) - before) / times;
      path.after?.();
      if (round > 0) costs.get(path)?.push(cost);
    }
    if (round > 0) console.log(`round ${round} of ${bench.rounds} on Node ${bench.node.version}`);
  }
  const rows = paths.map((path) => {
    const ratio = ratios(costs.get(path) ?? [], costs.get(page) ?? []);
    const goal = path.atMost === undefined ? '' : verdict(ratio.values, path.atMost);
    return [path.name, samples(costs.get(path) ?? [], 0), path === page ? '' : ratio, goal];
  });
  const about = `Medians of ${bench.rounds} rounds, all paths in turn, with the least and the most. ${notes}`;
  const head = ['path', 'CPU µs', 'signed-in pages', 'goal'];
  publish(file, [`# ${title} on Node ${bench.node.version}`, about, { head, rows }, `${versions(bench)}.`]);
}

/** Does something for each of these, several at a time as the load of a page does, and says for how many. */
export async function forEachConcurrently<Item>(
  items: Item[],
  bench: Bench,
  work: (item: Item) => Promise<unknown>,
): Promise<number> {
  const left = items.values();
  async function worker(): Promise<void> {
    for (const item of left) await work(item);
  }
  await Promise.all(Array.from({ length: bench.connections }, worker));
  return items.length;
}
