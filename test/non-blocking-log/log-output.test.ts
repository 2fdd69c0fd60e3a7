import { closeSync, constants, openSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { LogOutput } from '../../src/features/non-blocking-log/log-output.ts';
import { newPipe } from '../support/pipe.ts';
import { fill, openReader } from './pipe.ts';

/** What processes really print is in non-blocking-log.process.test.ts. */
function startOutput(path: string): { output: LogOutput; losses: number[]; complaints: () => unknown[] } {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const losses: number[] = [];
  const complaints: string[] = [];
  const output: LogOutput = new LogOutput(fd, {
    warn: (text) => complaints.push(text),
    reportLoss: (lines) => {
      losses.push(lines);
      output.write(`lost ${lines}\n`);
    },
  });
  onTestFinished(() => closeSync(fd));
  return { output, losses, complaints: () => complaints };
}

test('lines wait for a slow reader, and those beyond a mebibyte are counted and reported in their place', async () => {
  const path = newPipe();
  const { read } = openReader(path);
  fill(path);
  const { output, losses, complaints } = startOutput(path);
  const lines = Array.from({ length: 3000 }, (_, index) => `${String(index).padStart(1023, '.')}\n`);
  for (const line of lines) output.write(line);
  await expect.poll(read).toContain('lost');
  // The first line was on its way when the others came.
  expect(losses).toEqual([3000 - 1 - 1024]);
  output.write('after\n');
  const expected = [...lines.slice(0, 1 + 1024), `lost ${losses[0]}\n`, 'after\n'].join('');
  await expect.poll(() => read().trimStart() === expected).toBe(true);
  expect(complaints()).toEqual([expect.stringContaining("Latchkey's log is not read fast enough")]);
});

test('a reader that went away and comes back gets what was written meanwhile', async () => {
  const path = newPipe();
  const first = openReader(path);
  const { output, losses, complaints } = startOutput(path);
  first.close();
  output.write('one\n');
  await expect.poll(complaints).toEqual([expect.stringMatching(/^Latchkey's log can't be written \(EPIPE/)]);
  output.write('two\n');
  const { read } = openReader(path);
  await expect.poll(read).toBe('one\ntwo\n');
  expect(losses).toEqual([]);
  expect(complaints()).toHaveLength(1);
});
