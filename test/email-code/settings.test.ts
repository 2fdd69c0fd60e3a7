import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { blamed, problemsOf, production } from '../support/settings.ts';

const { SIGN_IN: _, ...undecided } = production;
const smtpUrl = 'smtp://user:p%40ss@mail.example.com:587';

describe('the settings of sign-in by code', () => {
  test('a mail server makes it the default, instead of trust', () => {
    expect(readConfig({ ...undecided, SMTP_URL: smtpUrl })).toMatchObject({
      signIn: 'code',
      mail: { server: { host: 'mail.example.com', credentials: { user: 'user', pass: 'p@ss' } } },
    });
    expect(readConfig({ ...production, SMTP_URL: smtpUrl })).toMatchObject({ signIn: 'trust' });
    expect(readConfig({ SMTP_URL: smtpUrl })).toMatchObject({ signIn: 'code' });
  });

  test.each([undecided, { ...undecided, SIGN_IN: 'code' }])('production needs a mail server for it', (env) => {
    expect(problemsOf(env)).toEqual([expect.stringMatching(/^SMTP_URL is missing.*smtp:\/\/.*SIGN_IN=trust/)]);
  });

  test('a malformed mail server is not also called missing, which would advise to trust everybody', () => {
    expect(blamed({ ...undecided, SMTP_URL: 'http://mail.example.com' })).toEqual(['SMTP_URL']);
    expect(blamed({ ...undecided, SIGN_IN: 'code', SMTP_URL: 'smtp://user@mail.example.com' })).toEqual(['SMTP_URL']);
  });

  test('1,000 codes are mailed per hour unless MAILS_PER_HOUR says otherwise', () => {
    expect(readConfig({}).emailCode.mailsPerHour).toBe(1000);
    expect(readConfig({ MAILS_PER_HOUR: '7' }).emailCode.mailsPerHour).toBe(7);
    for (const MAILS_PER_HOUR of ['0', '-1', 'x', '1.5'])
      expect(blamed({ MAILS_PER_HOUR })).toEqual(['MAILS_PER_HOUR']);
  });
});
