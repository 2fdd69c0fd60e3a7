import type { Logger } from '../log.ts';

/** Logs when something is lost and when it is back, once each, however often that is reported. */
export type ConnectionStatusLogger = {
  lost: (error: unknown) => void;
  /** It is not back yet, for a reason that waiting does not remedy: logged once for each reason. */
  stillLost: (reason: string, error: unknown) => void;
  back: () => void;
};

export function connectionStatusLogger(what: string, log: Logger): ConnectionStatusLogger {
  let isLost = false;
  const reasons = new Set<string>();
  return {
    lost(error) {
      if (!isLost) log.error({ err: error }, `${what} lost`);
      isLost = true;
    },
    stillLost(reason, error) {
      if (!isLost || reasons.has(reason)) return;
      reasons.add(reason);
      log.error({ reason, err: error }, `${what} can't be reached again`);
    },
    back() {
      if (isLost) log.info(`${what} back`);
      isLost = false;
      reasons.clear();
    },
  };
}
