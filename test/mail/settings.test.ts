import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { blamed } from '../support/settings.ts';

describe('the settings of mail', () => {
  test.each([
    ['SMTP_URL', ['x', 'mail.example.com:587', 'http://mail.example.com', 'smtp://', 'smtp://:p%ss@mail.example.com']],
    [
      'SMTP_URL',
      ['smtp://m.example/x', 'smtp://m.example?tsl=optional', 'smtp://m.example?tls=Optional', 'smtp://m#x'],
    ],
    ['MAIL_FROM', ['x', 'Latchkey', 'Latchkey <login>', '<login@example.com', 'Latchkey <login@example.com> x']],
  ])('%s is refused as %j', (name, values) => {
    for (const value of values) expect([value, ...blamed({ [name]: value })]).toEqual([value, name]);
  });

  test.each([
    ['login@example.com', 'login@example.com'],
    ['Front desk <login@example.com>', 'Front desk <login@example.com>'],
    ['', 'Latchkey <login@login.example.com>'],
  ])('mail comes from MAIL_FROM %j as %s', (MAIL_FROM, from) => {
    expect(readConfig({ BASE_URL: 'http://login.example.com', MAIL_FROM }).mail.from).toBe(from);
  });

  test('without any, mail has no server, and a sender on this machine', () => {
    expect(readConfig({}).mail).toMatchObject({ smtpUrl: undefined, from: 'Latchkey <login@localhost>' });
  });
});
