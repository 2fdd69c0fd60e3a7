import { isIPv4, isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import type { Request } from 'express';
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import type { Config } from './config.ts';

declare global {
  namespace Express {
    interface Request {
      /** Names this request in the log, and to a visitor who reports an error. */
      id: string;
    }
  }
}

export type { Logger } from 'pino';

/** Where sessions report what happens to them; a pino logger fits, and so does `console`. */
export type SessionLog = Record<'info' | 'warn', (about: object, message: string) => void>;

/** In bytes, line break included. Writes of up to this size to a pipe that processes share stay whole (PIPE_BUF). */
const maxLineBytes = 4096;
const maxTextLengths = [1024, 512, 256, 128, 64, 32];

/**
 * The process's log: one JSON line per event, of at most 4096 bytes.
 *
 * Only an error's name, message, code, cause and stack are logged: errors of body parsers carry the raw body, and
 * those of Redis carry command arguments (ASVS 16.2.5).
 */
export function createLogger(
  level: Config['logLevel'],
  destination?: DestinationStream,
  format: Config['logFormat'] = { ip: 'full', time: 'epoch' },
): Logger {
  const options = {
    level,
    base: { pid: process.pid, host: hostname() },
    timestamp: format.time === 'iso' ? stdTimeFunctions.isoTime : stdTimeFunctions.epochTime,
    serializers: { err: describeError, ip: (ip: unknown) => shownIp(format.ip, ip) },
    hooks: { streamWrite: limitLine },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** What log lines about a visitor's sign-ins and sessions say of the request. */
export function requestFields({ id, ip }: Request): { id: string; ip: string | undefined } {
  return { id, ip };
}

/** As much of a client's address as `LOG_IP` says. */
export function shownIp(detail: Config['logFormat']['ip'], ip: unknown): string | undefined {
  if (detail === 'off' || typeof ip !== 'string') return undefined;
  const address = ip.replace(/^::ffff:(?=[\d.]+$)/i, '');
  return detail === 'full' ? address : networkOf(address);
}

/** The /24 of an IPv4 address, and the /48 of an IPv6 one. */
function networkOf(address: string): string | undefined {
  if (isIPv4(address)) return address.replace(/\d+$/, '0/24');
  if (!isIPv6(address) || address.includes('%')) return undefined;
  const [head = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = [...head.split(':').filter(Boolean), '0', '0', '0'];
  return `${groups.slice(0, 3).join(':')}::/48`;
}

/** Cuts a text that a client chose, which would otherwise fill the log. */
export function cutText(text: string, maxLength: number): string {
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}

// Whatever ends up in an event, no request may write more than it costs to send.
function limitLine(line: string): string {
  if (fits(line)) return line;
  const event: Record<string, unknown> = JSON.parse(line);
  for (const maxLength of maxTextLengths) {
    const cutValue = (_key: string, value: unknown) => (typeof value === 'string' ? cutText(value, maxLength) : value);
    const shorter = `${JSON.stringify(event, cutValue)}\n`;
    if (fits(shorter)) return shorter;
  }
  const { level, time } = event;
  return `${JSON.stringify({ level, time, msg: 'an event too long for the log' })}\n`;
}

function fits(line: string): boolean {
  // A UTF-16 unit takes at most three bytes in UTF-8.
  return line.length * 3 <= maxLineBytes || Buffer.byteLength(line) <= maxLineBytes;
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
