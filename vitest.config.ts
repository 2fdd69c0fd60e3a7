import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Each project reads this file again, and all share one directory.
process.env.LATCHKEY_TEST_RUN ??= newRunDirectory();
const runDirectory = process.env.LATCHKEY_TEST_RUN;

function newRunDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-test-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export default defineConfig({
  test: {
    provide: { runDirectory },
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Two kinds: the tests, and what can be said only after all of them, such as what the logs hold.
    projects: [
      { extends: true, test: { name: 'tests', include: ['test/**/*.test.ts'], sequence: { groupOrder: 0 } } },
      { extends: true, test: { name: 'afterwards', include: ['test/**/*.after.ts'], sequence: { groupOrder: 1 } } },
    ],
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text'] },
  },
});
