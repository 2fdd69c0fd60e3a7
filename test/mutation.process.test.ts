import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { mutate, named, readEquivalents, sourcesBelow, testedFolders } from '../scripts/mutation/mutants.ts';
import { systemEnvironment } from './support/process.ts';

const project = fileURLToPath(new URL('..', import.meta.url));

/** Runs the command to its end; whatever is still running after the test is stopped. */
async function tryMutants(...args: string[]): Promise<{ code: number | null; printed: string }> {
  const command = ['--import', 'tsx', 'scripts/mutation/run.ts', ...args];
  const child = spawn(process.execPath, command, { cwd: project, env: systemEnvironment() });
  onTestFinished(() => void child.kill());
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  const [code] = await once(child, 'close');
  return { code, printed };
}

/** The row with the figures of a source. */
function rowOf(source: string, printed: string) {
  const row = printed.split('\n').find((line) => line.startsWith(`| ${source} |`));
  if (row === undefined) throw new Error(`there is no row of ${source} in:\n${printed}`);
  const figures = row.split(' | ').slice(1).map(Number.parseFloat);
  const [mutants = 0, killed = 0, timedOut = 0, survived = 0, notCovered = 0, equivalent = 0, score = 0] = figures;
  return { mutants, killed, timedOut, survived, notCovered, equivalent, score };
}

test('tells which mutants a test kills, and which no test reaches', { timeout: 240_000 }, async () => {
  const paths = ['src/http/user-agent.ts', 'src/http/url.ts', '--tests', 'test/http/user-agent.test.ts'];
  const { code, printed } = await tryMutants(...paths, '--verbose');
  expect(printed).toMatch(/^killed +src\/http\/user-agent\.ts:\d+ {2}name === system → true {2}\(says /m);
  expect(printed).toMatch(/^not covered src\/http\/url\.ts:\d+ {2}hostname === 'localhost' → false$/m);
  const [reached, unreached] = [rowOf('src/http/user-agent.ts', printed), rowOf('src/http/url.ts', printed)];
  for (const { mutants, killed, timedOut, survived, notCovered, equivalent, score } of [reached, unreached]) {
    expect(killed + timedOut + survived + notCovered + equivalent).toBe(mutants);
    expect(score.toFixed(1)).toBe(((100 * (killed + timedOut)) / (mutants - equivalent)).toFixed(1));
  }
  expect(reached.killed).toBeGreaterThan(reached.survived);
  expect(unreached.notCovered).toBeGreaterThan(0);
  // A file below the minimum fails the command.
  expect(code).toBe(1);
});

test('refuses a path without a mutant', { timeout: 120_000 }, async () => {
  const { code, printed } = await tryMutants('src/http/url.ts', 'src/http/url.ts:999');
  expect([code, printed]).toEqual([1, 'There are no mutants in src/http/url.ts:999.\n']);
});

test('an entry among the equivalent mutants must name one, and say why it is equivalent', async () => {
  const { mutants } = await mutate(['src/http/url.ts']);
  const { file = '', code = '', change = '' } = mutants.find((mutant) => mutant.change === 'true → false') ?? {};
  const place = { file, code, change };
  const entry = { ...place, reason: 'it is an example' };
  expect([...named([entry], mutants)]).toMatchObject([place]);
  expect(() => named([{ ...entry, code: 'return 1;' }], mutants)).toThrow('no mutant, or no reason, for the entry');
  expect(() => named([{ ...entry, reason: '' }], mutants)).toThrow('no mutant, or no reason, for the entry');
});

test('each entry among the equivalent mutants names one, and says why it is equivalent', {
  timeout: 120_000,
}, async () => {
  const files = sourcesBelow(Object.keys(testedFolders));
  const { mutants } = await mutate(files);
  expect(() => readEquivalents(files, mutants)).not.toThrow();
});
