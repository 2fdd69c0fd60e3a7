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

  test.each([
    ['text', 'a'],
    ['quotes, which are escaped', '"'],
    ['control characters, which grow sixfold', '\0'],
    ['letters of three bytes', '文'],
    ['letters of four bytes', '🗝'],
    ['halves of letters', '\ud83d'],
  ])('writes lines of at most 4096 bytes, whatever is logged: %s', (_, unit) => {
    const lines: string[] = [];
    const log = createLogger('info', { write: (line) => lines.push(line) });
    for (const length of [1000, 1400, 5000, 30_000]) {
      const text = unit.repeat(length);
      log.info({ id: 'a-1', path: text }, 'request');
      log.child({ by: text }).info(text);
      log.error({ id: 'a-1', err: new Error(text, { cause: new Error(text) }) }, 'failed');
      log.warn(
        { id: 'a-1', list: Array.from({ length }, (_, index) => index), deep: { list: [text, text] } },
        'listed',
      );
    }
    expect(lines).toHaveLength(16);
    for (const line of lines) {
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4096);
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number), time: expect.any(Number) });
    }
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ id: 'a-1', msg: 'request' });
  });

  test('cuts only the long texts of a line that is too long, and says that it did', () => {
    const lines: string[] = [];
    const log = createLogger('info', { write: (line) => lines.push(line) });
    log.info({ path: 'p'.repeat(10_000), reason: 'r'.repeat(100) }, 'request');
    log.info({ path: 'p'.repeat(3900) }, 'request');
    const [cut = '', whole = ''] = lines;
    expect(JSON.parse(cut)).toMatchObject({ path: `${'p'.repeat(1024)}…`, reason: 'r'.repeat(100), msg: 'request' });
    expect(JSON.parse(whole).path).toBe('p'.repeat(3900));
  });

  test('does not write what was thrown when it is no error', () => {
    expect(logOf('a secret text')).toEqual({ name: 'NotAnError', message: 'a string was thrown' });
  });
});
