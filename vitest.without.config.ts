import { defineConfig } from 'vitest/config';
import everyday from './vitest.config.ts';

export default defineConfig({
  test: {
    ...(everyday.test?.provide && { provide: everyday.test.provide }),
    setupFiles: ['test/support/close-after-file.ts'],
    include: ['test/without.ts'],
    // Two at a time keep two cores busy.
    sequence: { concurrent: true },
    maxConcurrency: 2,
  },
});
