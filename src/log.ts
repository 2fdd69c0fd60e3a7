import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from './config.ts';

export type { Logger } from 'pino';

/**
 * The process's log, one JSON line an event.
 *
 * An error is written as its name, message, code, cause and stack and nothing else: the errors of body
 * parsers carry the raw body, and those of Redis carry command arguments (ASVS 16.2.5).
 */
export function createLogger(level: Config['logLevel'], destination?: DestinationStream): Logger {
  const options = { level, base: null, serializers: { err: describeError } };
  return destination ? pino(options, destination) : pino(options);
}

type ErrorDescription = {
  name: string;
  message: string;
  code?: unknown;
  stack?: string;
  cause?: ErrorDescription;
};

function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { name: 'NotAnError', message: `a ${typeof error} was thrown` };
  return {
    name: error.name,
    message: error.message,
    ...('code' in error && { code: error.code }),
    ...(error.stack !== undefined && { stack: error.stack }),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
