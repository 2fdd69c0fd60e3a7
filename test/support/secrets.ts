import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** What belongs to this run of the tests alone: Redis data, logs, and a list of what no log may hold. */
    runDirectory: string;
  }
}

/** A shorter value stands in any log by chance. */
export const minLength = 8;

/** Remembers a value that must not stand in any log of this run; `test/logs.after.ts` looks for each. */
export function keepOutOfLogs(...values: string[]): void {
  const telling = values.filter((value) => value.length >= minLength);
  for (const value of telling) appendFileSync(join(inject('runDirectory'), 'secrets'), `${JSON.stringify(value)}\n`);
}

/** Where a process or an app under test writes its log. */
export function newLogFile(name: string): string {
  return join(inject('runDirectory'), `${name}-${crypto.randomUUID()}.log`);
}
