import { defineConfig } from 'vitest/config';
import everyday from './vitest.config.ts';

export default defineConfig({
  test: {
    ...(everyday.test?.provide && { provide: everyday.test.provide }),
    setupFiles: ['test/support/close-after-file.ts'],
    include: ['test/soak/soak.ts', 'test/*/*.soak.ts'],
    hookTimeout: 30_000,
    disableConsoleIntercept: true,
  },
});
