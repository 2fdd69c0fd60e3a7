import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { shutDownGracefully } from '../../src/graceful-shutdown.ts';
import { createLogger } from '../../src/log.ts';

// Real signals, and a real process that ends: close.process.test.ts. Here, the deadlines.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Waits for a shutdown, with signals that only this test sends. */
function start(close: () => Promise<void>, delaySeconds = 0) {
  const listeners = new Map<unknown, unknown>();
  const lines: string[] = [];
  const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
  const on = vi.spyOn(process, 'on').mockImplementation((event: unknown, listener: unknown) => {
    listeners.set(event, listener);
    return process;
  });
  shutDownGracefully(createLogger('info', { write: (line) => lines.push(JSON.parse(line).msg) }), close, delaySeconds);
  on.mockRestore();
  onTestFinished(() => exit.mockRestore());

  function signal(name: string): void {
    const listener = listeners.get(name);
    if (typeof listener === 'function') listener();
  }
  return { exit, lines, signal };
}

test.each([
  [0, 9000],
  [20, 29_000],
])(
  'the process is terminated, as a failure, when closing takes 9 s besides a delay of %i s',
  async (delaySeconds, ms) => {
    const { exit, lines, signal } = start(() => new Promise(() => {}), delaySeconds);
    signal('SIGTERM');
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect(exit).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(exit).toHaveBeenCalledExactlyOnceWith(1);
    expect(lines).toEqual(['closing', 'closing took too long, terminating']);
  },
);

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'])('a second %s within a second is taken for the same one', async (name) => {
  const { exit, lines, signal } = start(() => new Promise(() => {}));
  signal(name);
  await vi.advanceTimersByTimeAsync(1000);
  signal(name);
  expect(exit).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  signal(name);
  expect(exit).toHaveBeenCalledExactlyOnceWith(1);
  expect(lines).toEqual(['closing', 'asked again while closing, terminating']);
});

test('a second signal counts although the clock was set back meanwhile', async () => {
  const { exit, lines, signal } = start(() => new Promise(() => {}));
  signal('SIGTERM');
  await vi.advanceTimersByTimeAsync(1001);
  vi.setSystemTime(Date.now() - 3_600_000);
  signal('SIGTERM');
  expect(exit).toHaveBeenCalledExactlyOnceWith(1);
  expect(lines).toEqual(['closing', 'asked again while closing, terminating']);
});

test('everything is closed once, and the exit code says whether that succeeded', async () => {
  for (const [error, code, line] of [
    [undefined, 0, 'closed'] as const,
    [new Error('x'), 1, 'closing failed'] as const,
  ]) {
    const close = vi.fn(async () => {
      if (error) throw error;
    });
    const { exit, lines, signal } = start(close);
    signal('SIGINT');
    signal('SIGTERM');
    await vi.advanceTimersByTimeAsync(0);
    expect(close).toHaveBeenCalledTimes(1);
    expect(exit).toHaveBeenCalledExactlyOnceWith(code);
    expect(lines).toEqual(['closing', line]);
    exit.mockRestore();
  }
});
