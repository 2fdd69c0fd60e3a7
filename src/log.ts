import { hostname } from 'node:os';
import type { Request } from 'express';
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import type { Config } from './config.ts';

declare global {
  namespace Express {
    interface Request {
      /** Names this request in the log, and to a visitor who reports an error. */
      id: string;
    }
  }
}

export type { Logger, LoggerOptions } from 'pino';

/** Where sessions report what happens to them; a pino logger fits, and so does `console`. */
export type SessionLog = Record<'info' | 'warn', (about: object, message: string) => void>;

/**
 * The process's log: one JSON line per event. Only an error's name, message, code, cause and stack are logged: errors of
 * body parsers carry the raw body, and those of Redis carry command arguments (ASVS 16.2.5).
 */
export function createLogger(
  level: Config['logLevel'],
  destination?: DestinationStream,
  { serializers, ...format }: LoggerOptions = {},
): Logger {
  const base = { pid: process.pid, host: hostname() };
  const options = { ...format, level, base, serializers: { ...serializers, err: describeError } };
  return destination ? pino(options, destination) : pino(options);
}

/** What log lines about a visitor's sign-ins and sessions say of the request. */
export function requestFields({ id, ip }: Request): { id: string; ip: string | undefined } {
  return { id, ip };
}

function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { name: 'NotAnError', message: `a ${typeof error} was thrown` };
  return {
    name: error.name,
    message: error.message,
    ...('code' in error && { code: error.code }),
    ...(error.stack !== undefined && { stack: error.stack }),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
