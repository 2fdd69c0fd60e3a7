import { mkdtempSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { removeLeftovers } from './test/support/leftovers.ts';

// Each project reads this file again, and all share one directory.
process.env.LATCHKEY_TEST_RUN ??= newRunDirectory();
const runDirectory = process.env.LATCHKEY_TEST_RUN;

function newRunDirectory(): string {
  // The path of a unix socket has room for 103 characters on macOS, whose directory for temporary files takes half.
  const directory = mkdtempSync(join(process.platform === 'darwin' ? '/tmp' : tmpdir(), 'latchkey-test-'));
  process.on('exit', () => removeLeftovers(directory));
  return directory;
}

const timed = ['test/faults/hostile.test.ts', 'test/email-code/enumeration.test.ts'];

export default defineConfig({
  test: {
    provide: { runDirectory },
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Most tests; those that compare times, one after the other; and what can be said only after all of them, such as
    // what the logs hold.
    projects: [
      {
        extends: true,
        test: {
          name: 'tests',
          include: ['test/**/*.test.ts'],
          exclude: timed,
          // Many wait for something, so two at a time use two cores; the default would be one.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'timed', include: timed, maxWorkers: 1, sequence: { groupOrder: 1 } } },
      { extends: true, test: { name: 'afterwards', include: ['test/**/*.after.ts'], sequence: { groupOrder: 2 } } },
    ],
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text'] },
  },
});
