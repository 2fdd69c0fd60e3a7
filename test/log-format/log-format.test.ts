import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { formatLog } from '../../src/features/log-format/log-format.ts';
import { createLogger } from '../../src/log.ts';
import { handleOf } from '../../src/session/session-id.ts';
import { startApp } from '../support/app.ts';
import { Visitor } from '../support/visitor.ts';

describe('a line', () => {
  test.each([
    ['text', 'a'],
    ['quotes, which are escaped', '"'],
    ['control characters, which grow sixfold', '\0'],
    ['letters of three bytes', '文'],
    ['letters of four bytes', '🗝'],
    ['halves of letters', '\ud83d'],
  ])('has at most 4096 bytes, whatever is logged: %s', (_, unit) => {
    const lines: string[] = [];
    const log = createLogger('info', { write: (line) => lines.push(line) }, formatLog(readConfig({})));
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

  test.each([
    ['ends of lines, and of commands to a terminal', '\x7f\x80\x85\x9b31m\x9d\u2028\u2029\x1b[31m'],
    ['turns of the direction of text', '\u200e\u200f\u202a\u202e\u2066\u2069'],
  ])('has no control characters, and loses none: %s', (_, text) => {
    const lines: string[] = [];
    const log = createLogger('info', { write: (line) => lines.push(line) }, formatLog(readConfig({})));
    log.info({ origin: text, list: [text], [text]: 1 }, text);
    log.error({ origin: text.repeat(2000), err: new Error(text) }, 'failed');
    for (const line of lines) expect(line).toMatch(/^[^\p{C}\u2028\u2029]*\n$/u);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ origin: text, list: [text], [text]: 1, msg: text });
    expect(JSON.parse(lines[1] ?? '').origin).toMatch(/…$/);
  });

  test('that is too long loses only the ends of its long texts, and says so', () => {
    const lines: string[] = [];
    const log = createLogger('info', { write: (line) => lines.push(line) }, formatLog(readConfig({})));
    log.info({ path: 'p'.repeat(10_000), reason: 'r'.repeat(100) }, 'request');
    log.info({ path: 'p'.repeat(3900) }, 'request');
    const [cut = '', whole = ''] = lines;
    expect(JSON.parse(cut)).toMatchObject({ path: `${'p'.repeat(1024)}…`, reason: 'r'.repeat(100), msg: 'request' });
    expect(JSON.parse(whole).path).toBe('p'.repeat(3900));
  });
});

describe("the client's address", () => {
  test.each([
    ['full', '203.0.113.77', '203.0.113.77'],
    ['full', '2001:db8:1:2::3', '2001:db8:1:2::3'],
    ['network', '203.0.113.77', '203.0.113.0/24'],
    ['network', '::ffff:203.0.113.77', '203.0.113.0/24'],
    ['network', '2001:db8:1:2::3', '2001:db8:1::/48'],
    ['network', '::1', '0:0:0::/48'],
    ['off', '203.0.113.77', undefined],
  ])('is logged as LOG_IP=%s says: %s', async (LOG_IP, ip, shown) => {
    const app = await startApp({ env: { LOG_IP, LOG_TIME: 'iso', TRUST_PROXY: '127.0.0.1' } });
    const visitor = new Visitor(app.url, { 'X-Forwarded-For': ip });
    await visitor.post('/login', { form: { email: 'not an address' } });
    await visitor.signIn('ann@example.com');
    const other = new Visitor(app.url, { 'X-Forwarded-For': ip });
    await other.signIn('ann@example.com');
    await visitor.post('/admin/end-session', { form: { session: handleOf(other.sessionId) } });
    await visitor.post('/logout');
    const lines = app.logged().filter(({ msg }) => msg !== 'request');
    for (const msg of ['sign-in refused', 'signed in', 'session ended', 'signed out']) {
      const line = lines.find((candidate) => candidate.msg === msg);
      expect(line).toMatchObject({ id: expect.any(String), time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) });
      expect(line?.ip).toBe(shown);
      if (msg !== 'sign-in refused') expect(line?.session).toMatch(/^[\w-]{16}$/);
    }
    if (shown !== ip) expect(JSON.stringify(lines)).not.toContain(ip);
  });
});
