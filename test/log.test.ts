import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { createLogger } from '../src/log.ts';

function logOf(error: unknown): Record<string, unknown> {
  let line = '';
  createLogger('info', { write: (written) => (line = written) }).error({ err: error }, 'failed');
  return JSON.parse(line).err;
}

describe('createLogger', () => {
  test('writes one JSON line per event, with the host and the process id', () => {
    const lines: string[] = [];
    const log = createLogger('info', { write: (line) => lines.push(line) });
    log.info({ id: 'a-1' }, 'first');
    log.info('second\nof two lines');
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      ...{ level: 30, time: expect.any(Number), pid: process.pid, host: hostname() },
      ...{ id: 'a-1', msg: 'first' },
    });
    expect(lines[1]?.trimEnd()).not.toContain('\n');
  });

  test('leaves out what is below its level', () => {
    const lines: string[] = [];
    const log = createLogger('warn', { write: (line) => lines.push(line) });
    log.info('quiet');
    log.warn('loud');
    expect(lines).toHaveLength(1);
  });

  // The errors of body parsers carry the raw body, those of Redis the command's arguments (ASVS 16.2.5).
  test('writes of an error its name, message, code, stack and cause, and nothing that it carries', () => {
    const cause = Object.assign(new TypeError('inner'), { args: ['a secret argument'] });
    const error = Object.assign(new RangeError('outer', { cause }), { code: 'EOUTER', body: 'a secret body' });
    const written = logOf(error);
    expect(written).toEqual({
      name: 'RangeError',
      message: 'outer',
      code: 'EOUTER',
      stack: expect.stringContaining('log.test.ts'),
      cause: { name: 'TypeError', message: 'inner', stack: expect.any(String) },
    });
    expect(JSON.stringify(written)).not.toContain('secret');
  });

  test('does not write what was thrown when it is no error', () => {
    expect(logOf('a secret text')).toEqual({ name: 'NotAnError', message: 'a string was thrown' });
  });
});
