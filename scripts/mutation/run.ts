// `npm run test:mutation -- [FOLDER | FILE | FILE:LINE]… [--tests FOLDER]… [--again] [--verbose]`: changes the source in
// many small ways, one at a time, and checks whether a test fails. See docs/mutation-testing.md.
import { parseArgs } from 'node:util';
import { type Attempt, Attempts } from './attempts.ts';
import { type Mutant, mutate, readEquivalents, sourcesBelow, testedFolders, testsFor } from './mutants.ts';
import { Outcomes } from './outcomes.ts';
import { quickTests, tasksAgainst } from './reach.ts';
import { heading, type Outcome, print, publish, rowOf, scoreOf } from './scores.ts';

const minScore = 92;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { tests: { type: 'string', multiple: true }, again: { type: 'boolean' }, verbose: { type: 'boolean' } },
});
const paths = positionals.length > 0 ? positionals.map((path) => path.replace(/\/$/, '')) : Object.keys(testedFolders);

const files = sourcesBelow(paths);
const { code, mutants } = await mutate(files);
const equivalents = readEquivalents(files, mutants);
const unknown = paths.filter((path) => !mutants.some((mutant) => isBelow(path, mutant)));
if (unknown.length > 0) {
  console.error(`There are no mutants in ${unknown.join(', ')}.`);
  process.exit(1);
}
const chosen = mutants.filter((mutant) => paths.some((path) => isBelow(path, mutant)));
// Their tests mostly wait, so that four keep two cores busy.
const attempts = new Attempts(code, 4);
process.once('exit', () => attempts.stop());
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const tests = quickTests(options.tests ?? files.flatMap(testsFor));
const reaches = await attempts.reach(tests);
const outcomes = new Outcomes(mutants);
const tried = chosen
  .map((mutant): Attempt => ({ mutant, tasks: tasksAgainst(mutant, reaches) }))
  .filter((attempt) => {
    const outcome = knownOutcome(attempt);
    if (outcome) outcomes.set(attempt.mutant, outcome);
    return outcome === undefined;
  });
process.once('exit', () => outcomes.save());
console.log(`${chosen.length} mutants, ${tried.length} to try against ${tests.length} test files`);
await attempts.kill(tried, (mutant, killed) => {
  const outcome = !killed ? 'survived' : killed.isTimeout ? 'timed out' : 'killed';
  outcomes.set(mutant, outcome);
  if (!killed || options.verbose) print(outcome, mutant, killed?.failure);
});
await attempts.check(tests);
attempts.stop();
for (const mutant of chosen) if (outcomes.get(mutant) === 'not covered') print('not covered', mutant);
process.exitCode = report() ? 0 : 1;

function isBelow(path: string, { file, line }: Mutant): boolean {
  return `${file}:${line}` === path || file === path || file.startsWith(`${path}/`);
}

/** What is known of a mutant without trying it. */
function knownOutcome({ mutant, tasks }: Attempt): Outcome | undefined {
  if (mutant.isMessage) return 'message';
  if (equivalents.has(mutant)) return 'equivalent';
  if (tasks.length === 0) return 'not covered';
  return options.again ? outcomes.last(mutant) : undefined;
}

/** @returns whether everything that was asked for has the score that we want */
function report(): boolean {
  console.log(heading);
  const scores = paths.map((path) => {
    const inside = chosen.filter((mutant) => isBelow(path, mutant)).flatMap((mutant) => outcomes.get(mutant) ?? []);
    const row = rowOf(path, inside);
    console.log(row);
    // What `--again` does not try may have come to survive since.
    if (path in testedFolders && !options.tests && !options.again) publish(path, row);
    return scoreOf(inside);
  });
  return scores.every((score) => score >= minScore);
}
