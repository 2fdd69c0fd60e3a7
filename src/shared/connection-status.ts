import type { Logger } from '../log.ts';

/** Logs when something is lost and when it is back, once each, however often that is reported. */
export type ConnectionStatusLogger = { lost: (error: unknown) => void; back: () => void };

export function connectionStatusLogger(what: string, log: Logger): ConnectionStatusLogger {
  let isLost = false;
  return {
    lost(error) {
      if (!isLost) log.error({ err: error }, `${what} lost`);
      isLost = true;
    },
    back() {
      if (isLost) log.info(`${what} back`);
      isLost = false;
    },
  };
}
