import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { read } from '../support/documents.ts';
import { blamed } from '../support/settings.ts';

describe('mail settings', () => {
  test.each([
    ['SMTP_URL', ['x', 'mail.example.com:587', 'http://mail.example.com', 'smtp://', 'smtp://:p%ss@mail.example.com']],
    [
      'SMTP_URL',
      ['smtp://m.example/x', 'smtp://m.example?tsl=optional', 'smtp://m.example?tls=Optional', 'smtp://m#x'],
    ],
    [
      'SMTP_URL',
      [`smtp://\${MAIL_HOST}:25`, 'smtp://one.example,two.example', 'smtp://*.example.com', 'smtp://0.0.0.0'],
    ],
    [
      'SMTP_URL',
      [
        'smtp://:secret@m.example',
        'smtp://ann@m.example',
        'smtp://ann:@m.example',
        'smtp://m.example:0',
        'smtp://:@m.example',
        'smtp://@m',
      ],
    ],
    ['MAIL_FROM', ['\u200blogin@example.com', 'Latchkey <\u202alogin@example.com\u202c>', 'login＠example.com']],
    ['MAIL_FROM', ['x', 'Latchkey', 'Latchkey <login>', '<login@example.com', 'Latchkey <login@example.com> x']],
  ])('%s rejects %j', (name, values) => {
    for (const value of values) expect([value, ...blamed({ [name]: value })]).toEqual([value, name]);
  });

  test('the sender is MAIL_FROM, or else the site', () => {
    const fromOf = (env: Record<string, string>) =>
      readConfig({ BASE_URL: 'http://login.example.com', ...env }).mail.from;
    expect(fromOf({ MAIL_FROM: 'Front desk <Desk@Example.com>' })).toEqual({
      name: 'Front desk',
      address: 'Desk@example.com',
    });
    expect(fromOf({ MAIL_FROM: 'Front desk < Desk@Example.com > ' })).toEqual({
      name: 'Front desk',
      address: 'Desk@example.com',
    });
    // Persian and Sinhala are written with joiners.
    expect(fromOf({ MAIL_FROM: 'می\u200cخواهم <login@ශ්\u200dරී.example>' })).toEqual({
      name: 'می\u200cخواهم',
      address: 'login@xn--10cl1a0b660p.example',
    });
    expect(fromOf({ SITE_NAME: 'Acme' })).toEqual({ name: 'Acme', address: 'login@login.example.com' });
  });

  test.each([
    ['smtp://bücher.example', 'xn--bcher-kva.example'],
    ['smtp://mail_1', 'mail_1'],
    ['smtp://mail.example.com.', 'mail.example.com.'],
    ['smtp://[::1]', '::1'],
  ])('%s names the host %s', (SMTP_URL, host) => {
    expect(readConfig({ SMTP_URL }).mail.server).toMatchObject({ host });
  });

  test('by default there is no server, and the sender is on this machine', () => {
    const from = { name: 'Latchkey', address: 'login@localhost' };
    expect(readConfig({}).mail).toMatchObject({ server: undefined, from });
  });

  test('mail is delayed by up to 0.3 s, as docs/mail.md says (ASVS 6.3.8)', () => {
    const { maxDelayMs } = readConfig({}).mail;
    expect(maxDelayMs).toBe(300);
    expect(read('docs/mail.md')).toContain(`a random delay of up to ${maxDelayMs / 1000} s`);
  });

  describe('?tls=optional in production', () => {
    const production = (host: string, env: Record<string, string> = {}) =>
      blamed({ NODE_ENV: 'production', SMTP_URL: `smtp://user:pass@${host}?tls=optional`, ...env });

    test.each([
      'mail.example.com',
      '203.0.113.7',
      '[2001:db8::7]',
      '172.32.0.1',
      '11.0.0.1',
      'localhost.example.com',
      '3405803783',
      '0xcb007107',
    ])('is rejected for %s, which may be outside a private network', (host) => {
      expect(production(host)).toContain('SMTP_URL');
      expect(production(host, { SMTP_PLAINTEXT_HOST: 'other.example.com' })).toContain('SMTP_URL');
    });

    // `new URL()` drops all of these, so the option holds as if they were not there.
    test.each(['\n', '\r\n', ' ', '\t', '#', '#\n'])('is rejected for such a host also in front of %j', (end) => {
      const SMTP_URL = `smtp://user:pass@mail.example.com?tls=optional${end}`;
      expect(blamed({ NODE_ENV: 'production', SMTP_URL })).toContain('SMTP_URL');
    });

    test.each([
      '10.1.2.3',
      '172.16.0.9:25',
      '192.168.1.7',
      '[fd00::7]:25',
      '127.0.0.1',
      '[::1]',
      'localhost',
      'mail:1025',
    ])('is accepted for %s, which is in one', (host) => {
      expect(production(host)).not.toContain('SMTP_URL');
    });

    test('is accepted for any host that SMTP_PLAINTEXT_HOST confirms', () => {
      expect(production('mail.example.com:25', { SMTP_PLAINTEXT_HOST: 'mail.example.com' })).not.toContain('SMTP_URL');
    });

    test('is not confirmed by the name of another host', () => {
      const SMTP_PLAINTEXT_HOST = 'old.example.com';
      expect(blamed({ SMTP_URL: 'smtp://mail.example.com', SMTP_PLAINTEXT_HOST })).toEqual(['SMTP_PLAINTEXT_HOST']);
      expect(blamed({ SMTP_PLAINTEXT_HOST })).toEqual([]);
    });

    test('is accepted in development', () => {
      expect(blamed({ SMTP_URL: 'smtp://mail.example.com?tls=optional' })).toEqual([]);
    });
  });
});
