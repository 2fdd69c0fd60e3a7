import type { Logger } from './log.ts';

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const closeWithinMs = 9000;
/** `npm start` passes a Ctrl-C on that the terminal has sent to the whole process group already. */
const sameSignalMs = 1000;

/**
 * Ends the process in good order when it is asked to (exit code 0), or after an error that nobody caught
 * (exit code 1). Who asks again after 1 s, or waits longer than 9 s, gets an end without order (exit code 1).
 * @param close closes everything that is open; called once
 */
export function shutDownGracefully(log: Logger, close: () => Promise<void>): void {
  let closingSince: number | undefined;
  let exitCode = 0;

  async function end(): Promise<void> {
    closingSince = Date.now();
    setTimeout(endAtOnce, closeWithinMs, 'closing took too long, ending at once');
    try {
      await close();
      log.info('closed');
    } catch (err) {
      log.error({ err }, 'closing failed');
      exitCode = 1;
    }
    process.exit(exitCode);
  }

  function endAtOnce(reason: string): void {
    log.error(reason);
    process.exit(1);
  }

  for (const signal of signals) {
    process.on(signal, () => {
      if (closingSince === undefined) {
        log.info({ signal }, 'closing');
        void end();
      } else if (Date.now() - closingSince > sameSignalMs) {
        endAtOnce('asked again while closing, ending at once');
      }
    });
  }
  // Node makes an unhandled rejection one of these.
  process.on('uncaughtException', (err) => {
    log.fatal({ err }, 'closing because of an error that nobody caught');
    exitCode = 1;
    if (closingSince === undefined) void end();
  });
}
