import {
  ClientClosedError,
  ClientOfflineError,
  DisconnectsClientError,
  ErrorReply,
  SocketClosedUnexpectedlyError,
  SocketTimeoutError,
} from 'redis';
import type { Logger } from '../../log.ts';
import type { RedisUnavailable } from '../../redis/deadline.ts';

/** An outage is over after this long without another failure. */
const overAfterMs = 5000;

/** The connection itself reports these, once, as "Redis lost". */
const lostConnection = [
  ClientClosedError,
  ClientOfflineError,
  DisconnectsClientError,
  SocketClosedUnexpectedlyError,
  SocketTimeoutError,
];

/**
 * Logs that Redis fails requests although it is connected: it is full, read-only, loading or too slow. One line when
 * that begins and one when it is over, for each reason; a line per request would bury everything else.
 */
export function outageLog(log: Logger): (error: RedisUnavailable) => void {
  const outages = new Map<string, { requests: number; over: NodeJS.Timeout }>();

  return function noteFailure(error) {
    const reason = reasonOf(error);
    if (reason === undefined) return;
    const known = outages.get(reason);
    if (known) {
      known.requests += 1;
      known.over.refresh();
      return;
    }
    log.error({ reason, err: error }, 'Redis fails requests');
    const outage = { requests: 1, over: setTimeout(end, overAfterMs).unref() };
    outages.set(reason, outage);

    function end(): void {
      outages.delete(String(reason));
      log.info({ reason, requests: outage.requests }, 'Redis no longer fails requests');
    }
  };
}

/** The kind of failure, such as `OOM` or `READONLY`; undefined for a lost connection. */
function reasonOf({ message, cause }: RedisUnavailable): string | undefined {
  if (cause instanceof ErrorReply) return cause.message.split(' ', 1)[0];
  if (!(cause instanceof Error)) return message;
  const isSystemError = 'syscall' in cause;
  return isSystemError || lostConnection.some((lost) => cause instanceof lost) ? undefined : cause.name;
}
