import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { mutate, named } from '../scripts/mutation/mutants.ts';
import { systemEnvironment } from './support/process.ts';

const project = fileURLToPath(new URL('..', import.meta.url));

function tryMutants(...args: string[]): string {
  const command = ['--import', 'tsx', 'scripts/mutation/run.ts', ...args, '--verbose'];
  const { stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: project,
    env: systemEnvironment(),
    encoding: 'utf8',
  });
  return stdout + stderr;
}

test('tells which mutants a test kills, and which no test reaches', () => {
  const printed = tryMutants('src/http/user-agent.ts', 'src/http/url.ts', '--tests', 'test/http/user-agent.test.ts');
  expect(printed).toMatch(/^killed +src\/http\/user-agent\.ts:\d+ {2}name === system → true {2}\(says /m);
  expect(printed).toMatch(/^not covered src\/http\/url\.ts:\d+ {2}hostname === 'localhost' → false$/m);
  expect(printed).toMatch(/\| src\/http\/user-agent\.ts \| \d+ \| \d\d \| 0 \| \d \| 0 \| \d \| [\d.]+ \|/);
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
