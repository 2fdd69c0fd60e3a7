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

/** A server, a signed-in page of it, and what else visitors do there. */
export type Subject = { server: Pick<RunningServer<string>, 'cpuMicroseconds'>; page: Path; others: Path[] };

/**
 * The CPU time of each path as a multiple of a page's, all measured in turn.
 * @param options.previous the same paths of the previous release
 * @param options.file where the result goes under `bench/results/`
 * @param options.notes what else a reader must know
 */
export async function comparePaths(
  bench: Bench,
  {
    subject,
    previous,
    file,
    title,
    notes,
  }: { subject: Subject; previous?: Subject; file: string; title: string; notes: string },
): Promise<void> {
  const subjects = previous ? [subject, previous] : [subject];
  const costs = new Map<Path, number[]>(
    subjects.flatMap(({ page, others }) => [page, ...others]).map((path) => [path, []]),
  );
  const costsOf = (path: Path | undefined) => (path && costs.get(path)) ?? [];
  const warmUpRounds = Math.ceil(warmUpSeconds(bench) / bench.seconds);
  for (let round = 1 - warmUpRounds; round <= bench.rounds; round += 1) {
    for (const { server, page, others } of subjects) {
      for (const path of [page, ...others]) {
        const cost = await costOf(path, server);
        if (round > 0) costs.get(path)?.push(cost);
      }
    }
    if (round > 0) console.log(`round ${round} of ${bench.rounds} on Node ${bench.node.version}`);
  }
  const before = previous && [previous.page, ...previous.others];
  const rows = [subject.page, ...subject.others].map((path, position) => {
    const ratio = ratios(costsOf(path), costsOf(subject.page));
    const goal = path.atMost === undefined ? '' : verdict(ratio.values, path.atMost);
    const earlier = costsOf(before?.[position]);
    return [
      ...[path.name, samples(costsOf(path), 0), path === subject.page ? '' : ratio, goal],
      ...(before ? [samples(earlier, 0), ratios(costsOf(path), earlier)] : []),
    ];
  });
  const about = `Medians of ${bench.rounds} rounds, all paths in turn, with the least and the most. ${notes}`;
  const head = [
    'path',
    'CPU µs',
    'signed-in pages',
    'goal',
    ...(before ? ['0.1, CPU µs', 'CPU, divided by that of 0.1'] : []),
  ];
  publish(file, [`# ${title} on Node ${bench.node.version}`, about, { head, rows }, `${versions(bench)}.`]);
}

/** The CPU time of doing it once, in microseconds. */
async function costOf(path: Path, server: Subject['server']): Promise<number> {
  await path.before?.();
  const before = await server.cpuMicroseconds();
  const times = await path.run();
  const cost = ((await server.cpuMicroseconds()) - before) / times;
  path.after?.();
  return cost;
}
