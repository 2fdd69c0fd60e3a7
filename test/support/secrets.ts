import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** What belongs to this run of the tests alone: Redis data, logs, and a list of what no log may hold. */
    runDirectory: string;
  }
}

/** Remembers a value that must not stand in any log of this run; `test/logs.after.ts` looks for each. */
export function keepOutOfLogs(...values: string[]): void {
  for (const value of values) appendFileSync(join(inject('runDirectory'), 'secrets'), `${JSON.stringify(value)}\n`);
}

/** Where a process or an app under test writes its log. */
export function newLogFile(name: string): string {
  return join(inject('runDirectory'), `${name}-${crypto.randomUUID()}.log`);
}
