import { vi } from 'vitest';

/** Moves the clock of the app on; the test must be in the same process. */
export function passSeconds(seconds: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 });
}
