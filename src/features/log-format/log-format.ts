import { type LoggerOptions, stdTimeFunctions } from 'pino';
import type { Config } from '../../config.ts';
import { cutText } from '../../shared/cut-text.ts';
import { type IpDetail, shownIp } from '../../shared/shown-ip.ts';

type Formatted = Pick<Config, 'logFormat'>;

/** In bytes, line break included. Writes of up to this size to a pipe that processes share stay whole (PIPE_BUF). */
const maxLineBytes = 4096;
const maxTextLengths = [1024, 512, 256, 128, 64, 32];

/** How the log writes times and clients' addresses, in lines of at most 4096 bytes without control characters. */
export function formatLog({ logFormat: { ip: detail, time } }: Formatted): LoggerOptions {
  return {
    timestamp: time === 'iso' ? stdTimeFunctions.isoTime : stdTimeFunctions.epochTime,
    serializers: { ip: (ip: unknown) => shownIp(detail, ip) },
    hooks: { streamWrite: (line) => limitLine(escapeControls(line)) },
  };
}

/** For what else is written down about a client. */
export function ipDetailOf({ logFormat }: Formatted): IpDetail {
  return logFormat.ip;
}

// JSON leaves these as they are, and a terminal or a viewer would obey them: DEL, C1 controls, line separators, and marks
// that turn the direction of text. They only ever stand in strings.
function escapeControls(line: string): string {
  return line.replace(
    /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

// Whatever ends up in an event, no request may write more than it costs to send.
function limitLine(line: string): string {
  if (fits(line)) return line;
  const event: Record<string, unknown> = JSON.parse(line);
  for (const maxLength of maxTextLengths) {
    const cutValue = (_key: string, value: unknown) => (typeof value === 'string' ? cutText(value, maxLength) : value);
    const shorter = escapeControls(`${JSON.stringify(event, cutValue)}\n`);
    if (fits(shorter)) return shorter;
  }
  const { level, time } = event;
  return `${JSON.stringify({ level, time, msg: 'an event too long for the log' })}\n`;
}

function fits(line: string): boolean {
  // A UTF-16 unit takes at most three bytes in UTF-8.
  return line.length * 3 <= maxLineBytes || Buffer.byteLength(line) <= maxLineBytes;
}
