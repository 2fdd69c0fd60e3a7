import type { Logger } from './log.ts';

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const closeWithinSeconds = 9;
/** `npm start` forwards a Ctrl-C that the terminal has already sent to the whole process group. */
const sameSignalMs = 1000;

/**
 * Shuts the process down gracefully on a signal (exit code 0) or after an uncaught error (exit code 1). It is terminated
 * immediately (exit code 1) when a signal comes again after more than 1 s, or when closing takes 9 s beyond the delay.
 * @param close closes everything that is open; called once
 * @param delaySeconds how long `close` waits before it begins
 */
export function shutDownGracefully(log: Logger, close: () => Promise<void>, delaySeconds: number): void {
  let closingSince: number | undefined;
  let exitCode = 0;

  async function end(): Promise<void> {
    closingSince = performance.now();
    setTimeout(terminate, (delaySeconds + closeWithinSeconds) * 1000, 'closing took too long, terminating');
    try {
      await close();
      log.info('closed');
    } catch (err) {
      log.error({ err }, 'closing failed');
      exitCode = 1;
    }
    process.exit(exitCode);
  }

  function terminate(reason: string): void {
    log.error(reason);
    process.exit(1);
  }

  for (const signal of signals) {
    process.on(signal, () => {
      if (closingSince === undefined) {
        log.info({ signal }, 'closing');
        void end();
      } else if (performance.now() - closingSince > sameSignalMs) {
        terminate('asked again while closing, terminating');
      }
    });
  }
  // Node turns an unhandled rejection into one of these.
  process.on('uncaughtException', (err) => {
    log.fatal({ err }, 'closing after an uncaught error');
    exitCode = 1;
    if (closingSince === undefined) void end();
  });
}
