// A worker of the driver: one Vitest process that stays warm, and runs test files as the driver asks for them.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';
import { type Job, outsideTests } from './protocol.ts';

const job: Job = JSON.parse(readFileSync(process.env.LATCHKEY_MUTATION_JOB ?? '', 'utf8'));
const { provide = {}, setupFiles = [], expect = {} } = base.test ?? {};

const switchTo = (id: string) => `globalThis.__stryker__.currentTestId = ${JSON.stringify(id)};`;

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  plugins: [
    {
      name: 'mutants',
      enforce: 'pre',
      load: (id) => job.code[id],
      // Imports come first, so what a test file does itself is told from what runs while modules load.
      transform: (text, id) => (id.endsWith('.test.ts') ? `${switchTo(outsideTests)}${text}` : undefined),
    },
  ],
  test: {
    ...{ provide, setupFiles, expect },
    include: ['scripts/mutation/begin.ts'],
    runner: fileURLToPath(new URL('worker.ts', import.meta.url)),
    isolate: false,
    maxWorkers: 1,
    // A mutant may make a test wait for ever.
    testTimeout: 10_000,
    hookTimeout: 15_000,
  },
});
