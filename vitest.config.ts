import { mkdtempSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { removeLeftovers } from './test/support/leftovers.ts';

// Each project reads this file again, and all of them share one directory.
process.env.LATCHKEY_TEST_RUN ??= newRunDirectory();
const runDirectory = process.env.LATCHKEY_TEST_RUN;

function newRunDirectory(): string {
  // A unix socket's path has room for 103 characters on macOS, whose directory for temporary files takes half of them.
  const directory = mkdtempSync(join(process.platform === 'darwin' ? '/tmp' : tmpdir(), 'latchkey-test-'));
  process.on('exit', () => removeLeftovers(directory));
  return directory;
}

/** Tests that start processes, a browser or a cluster, or break something, and take seconds each. */
const slow = ['test/**/*.{process,browser,faults}.test.ts'];
/** Tests that compare times, and so run alone. */
const timed = ['test/**/*.timed.test.ts'];

// Most tests wait for something, so a few at a time keep two cores busy; the default would be one. The slow ones start
// processes and browsers, which are busy as well.
const maxWorkers = { slow: Math.max(4, availableParallelism() - 1), quick: Math.max(5, availableParallelism()) };

/**
 * Starts the longest files of each project first: the last one would keep a single core busy. Where a file has not run yet,
 * its name tells how long it probably takes.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const ends = ['.test.ts', '.faults.test.ts', '.browser.test.ts', 'pages.browser.test.ts'];
    const msOf = ({ project, moduleId }: TestSpecification) => {
      const key = `${project.name}:${relative(this.ctx.config.root, moduleId)}`;
      const known = this.ctx.cache.getFileTestResults(key)?.duration;
      return known ?? 10_000 * ends.findLastIndex((end) => moduleId.endsWith(end));
    };
    return (await super.sort(files)).sort((one, other) => msOf(other) - msOf(one));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    provide: { runDirectory },
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // A test that waits for something must not depend on how busy the machine is.
    expect: { poll: { timeout: 10_000, interval: 10 } },
    // Files share a worker's modules, which halves the work. What a test opens is closed after its file.
    isolate: false,
    setupFiles: ['test/support/close-after-file.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'quick',
          include: ['test/**/*.test.ts'],
          exclude: [...slow, ...timed],
          maxWorkers: maxWorkers.quick,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'slow',
          include: slow,
          exclude: timed,
          // Some run tools that need a core for ten seconds, while others do the same.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          setupFiles: ['test/support/build-first.ts'],
          maxWorkers: maxWorkers.slow,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'timed',
          include: timed,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          setupFiles: ['test/support/build-first.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      // What can be said only after all the others, such as what the logs hold.
      { extends: true, test: { name: 'afterwards', include: ['test/**/*.after.ts'], sequence: { groupOrder: 3 } } },
    ],
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text'] },
  },
});
