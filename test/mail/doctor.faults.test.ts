import { expect, onTestFinished, test, vi } from 'vitest';
import { SmtpThread } from '../../src/features/mail/smtp-thread.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { testRedis } from '../support/test-redis.ts';
import { startMailServer } from './mail-server.ts';

type Finding = { what: string; ok: boolean; detail?: string; problem?: string };

const { socketPath } = await testRedis();
const mails = await startMailServer();

async function doctor(smtpUrl: string, ...words: string[]) {
  const latchkey = latchkeyOn(`unix://${socketPath}`, { SMTP_URL: smtpUrl });
  const { json } = await latchkey('doctor', ...words);
  const { findings } = json as { findings: Finding[] };
  return (what: string) => findings.find((finding) => finding.what === what);
}

test('doctor logs in to the mail server and, if asked, sends one mail, whose queue id it shows', async () => {
  const found = await doctor(mails.url);
  expect(found('mail server')).toMatchObject({ ok: true, detail: expect.stringContaining(`localhost:${mails.port}`) });
  expect(mails.inbox).toEqual([]);
  const sent = await doctor(mails.url, '--mail', 'olga@example.com');
  expect(sent('mail')).toMatchObject({
    ok: true,
    detail: expect.stringMatching(/^to olga@example\.com: accepted 250/),
  });
  expect(mails.inbox).toMatchObject([{ to: ['olga@example.com'], mail: { subject: 'Test of Latchkey' } }]);
});

test('doctor has something to do where a mail is asked for, and there is no mail server', async () => {
  const latchkey = latchkeyOn(`unix://${socketPath}`);
  expect((await latchkey('doctor')).exitCode).toBe(0);
  const { text, exitCode } = await latchkey('doctor', '--mail', 'olga@example.com');
  expect(exitCode).toBe(1);
  expect(text).toContain('TO DO mail server: none: SMTP_URL is not set\n      no mail was sent: set SMTP_URL\n');
});

test('doctor says which check could not be made', async () => {
  const check = vi.spyOn(SmtpThread.prototype, 'check').mockRejectedValueOnce(new Error('no thread'));
  onTestFinished(() => check.mockRestore());
  expect((await doctor(mails.url))('mail server')?.problem).toBe('it could not be checked: no thread');
});

test('doctor says what is wrong with the mail server', async () => {
  mails.failure = { at: 'recipient', answer: 550, words: '5.1.1 olga: \u001b[31mno such user\r\n' };
  const refused = await doctor(mails.url, '--mail', 'olga@example.com');
  expect(refused('mail')).toMatchObject({
    ok: false,
    detail: expect.stringContaining('refused 550 5.1.1'),
    problem: 'the mail server says "550 5.1.1 olga: [31mno such user": look for the mail in the log of the mail server',
  });
  mails.failure = { at: 'recipient', answer: 554, words: '5.7.1 olga@example.com: Relay access denied' };
  const unrelayed = await doctor(mails.url, '--mail', 'olga@example.com');
  const advice = 'check the user and the password in SMTP_URL, and MAIL_FROM';
  expect(unrelayed('mail')?.problem).toBe(
    `the mail server says "554 5.7.1 olga@example.com: Relay access denied": ${advice}`,
  );
  mails.failure = { at: 'sender', answer: 550, words: 'sender unknown' };
  const rejected = await doctor(mails.url, '--mail', 'olga@example.com');
  expect(rejected('mail')?.problem).toMatch(/check MAIL_FROM.*; the mail server says "550 sender unknown"$/);
  mails.failure = { at: 'greeting', answer: 554, words: '5.7.1 you are on a list' };
  expect((await doctor(mails.url))('mail server')?.problem).toBe(
    `localhost:${mails.port} accepts no mail (554); it says "554 5.7.1 you are on a list"`,
  );
  mails.failure = undefined;
  const away = await doctor('smtp://localhost:9');
  expect(away('mail server')).toMatchObject({ ok: false, problem: expect.stringContaining('localhost:9') });
});

test('doctor says that the mail server has no SMTPUTF8, if the address needs it', async () => {
  const ascii = await startMailServer({ hideSMTPUTF8: true });
  const found = await doctor(ascii.url, '--mail', 'jörg@example.com');
  expect(found('mail')).toMatchObject({
    ok: false,
    problem:
      'the part of the address before the @ has non-ASCII characters, and the mail server does not support SMTPUTF8',
  });
});
