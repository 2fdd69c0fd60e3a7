import { readFileSync } from 'node:fs';
import { destination } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { Mailer, type RetryPolicy, smtpTransport } from '../../src/features/mail/mailer.ts';
import { createLogger } from '../../src/log.ts';
import { mailFrom, ownAddress } from '../email-code/code-login.ts';
import { afterwards } from '../support/afterwards.ts';
import { newLogFile } from '../support/secrets.ts';
import { startMailServer, type Trouble } from './mail-server.ts';

const server = await startMailServer();
const plain = await startMailServer({ hideSTARTTLS: true, disabledCommands: ['STARTTLS'] });
const mail = { to: 'ann@example.com', subject: '1234 5678 is your code', text: '1234 5678', html: '<p>1234 5678</p>' };
const quick = { retryDelaysMs: [20, 20, 20] };

function newMailer(url = server.url, retryPolicy: Partial<RetryPolicy> = quick) {
  const logFile = newLogFile('mailer');
  const log = createLogger('debug', destination({ dest: logFile, sync: true }));
  const mailer = new Mailer(smtpTransport(url, mailFrom), log, retryPolicy);
  afterwards(() => mailer.close());
  const lines = (): Record<string, unknown>[] => {
    const written = readFileSync(logFile, 'utf8').split('\n').filter(Boolean);
    return written.map((line) => JSON.parse(line));
  };
  return { mailer, logged: (message: string) => lines().filter(({ msg }) => msg === message), lines };
}

afterEach(async () => {
  server.trouble = undefined;
  server.inbox.length = 0;
  server.seen.length = 0;
  await server.stop();
  await server.start();
});

const soon = { timeout: 8000, interval: 5 };

describe('a mail', () => {
  test('leaves, and a line says so without address or code', async () => {
    const { mailer, logged, lines } = newMailer();
    void mailer.send(mail, { id: 'r1', person: 'tag', mail: 'code' });
    await expect.poll(() => logged('mail sent'), soon).toMatchObject([{ id: 'r1', person: 'tag', mail: 'code' }]);
    expect(server.inbox).toMatchObject([{ to: [mail.to], from: 'login@example.com' }]);
    expect(JSON.stringify(lines().map(({ time, ...line }) => line))).not.toMatch(/1234 ?5678|ann@/);
    expect(mailer.isFailing).toBe(false);
  });

  test.each<[string, Trouble]>([
    ['has no room at the moment', { at: 'data', answer: 452 }],
    ['takes no sender at the moment', { at: 'sender', answer: 451 }],
    ['is too busy to talk', { at: 'greeting', answer: 421 }],
  ])('is tried again, and arrives once, while the server %s', async (_what, trouble) => {
    const { mailer, logged } = newMailer();
    server.trouble = trouble;
    void mailer.send(mail, { mail: 'code' });
    await expect.poll(() => logged('mail can not be sent').length, soon).toBe(1);
    expect(mailer.isFailing).toBe(true);
    server.trouble = undefined;
    await expect.poll(() => logged('mail sent').length, soon).toBe(1);
    expect(mailer.isFailing).toBe(false);
    expect(logged('mail is sent again')).toHaveLength(1);
    expect(server.inbox).toHaveLength(1);
  });

  test('is given up after four tries', async () => {
    const { mailer, logged } = newMailer();
    server.trouble = { at: 'sender', answer: 451 };
    void mailer.send(mail, { mail: 'code' });
    await expect.poll(() => logged('mail not sent'), soon).toMatchObject([{ mail: 'code' }]);
    expect(server.seen.filter((step) => step === 'sender')).toHaveLength(4);
    expect(logged('mail can not be sent')).toHaveLength(1);
  });

  // `/readyz` would tell, of an address that the server greylists, whether a mail was sent to it (ASVS 6.3.8).
  test('is tried again while the server greylists its recipient, which says nothing about the server', async () => {
    const { mailer, logged } = newMailer();
    server.trouble = { at: 'recipient', answer: 450 };
    void mailer.send(mail, { mail: 'code' });
    await expect.poll(() => server.seen.filter((step) => step === 'recipient').length, soon).toBe(2);
    server.trouble = undefined;
    await expect.poll(() => logged('mail sent').length, soon).toBe(1);
    expect([mailer.isFailing, logged('mail can not be sent').length]).toEqual([false, 0]);
    expect(server.inbox).toHaveLength(1);
  });

  test('waits for its turn behind a slow server as long as it takes: only its own attempt has a deadline', async () => {
    const { mailer, logged } = newMailer(server.url, { retryDelaysMs: [], attemptWithinMs: 1500 });
    server.trouble = { at: 'data', answer: 'late' };
    for (let mails = 1; mails <= 120; mails += 1) void mailer.send(mail, { mail: 'code' });
    await expect.poll(() => logged('mail sent').length, soon).toBe(120);
    expect([mailer.isFailing, logged('mail can not be sent').length]).toEqual([false, 0]);
  });

  test.each<Trouble>([
    { at: 'sender', answer: 550, words: 'not from you' },
    { at: 'data', answer: 554, words: '5.6.0 looks like spam' },
    { at: 'data', answer: 554, words: '5.2.252 SendAsDenied' },
  ])(
    'that the server refuses for good ($at, $answer) is tried once, and the operator learns of it',
    async (trouble) => {
      const { mailer, logged } = newMailer();
      server.trouble = trouble;
      void mailer.send(mail, { mail: 'code' });
      await expect.poll(() => logged('mail not sent').length, soon).toBe(1);
      expect(logged('mail can not be sent')).toMatchObject([{ responseCode: trouble.answer }]);
      expect(server.seen.filter((step) => step === trouble.at)).toHaveLength(1);
      expect(mailer.isFailing).toBe(true);
    },
  );

  // Or anybody could make the mail server look broken by typing an address that nobody has.
  test.each(['5.1.1 user unknown', '5.2.2 mailbox full', '5.7.1 relay access denied', 'no'])(
    'to a recipient that the server refuses says nothing about the server, but why: %s',
    async (words) => {
      const { mailer, logged } = newMailer();
      server.trouble = { at: 'recipient', answer: 550, words };
      void mailer.send(mail, { mail: 'code' });
      await expect.poll(() => logged('mail not sent'), soon).toMatchObject([{ mail: 'code', responseCode: 550 }]);
      expect([mailer.isFailing, logged('mail can not be sent').length]).toEqual([false, 0]);
    },
  );

  test('whose recipient the server refuses only after it has got the mail says nothing about the server either', async () => {
    const { mailer, logged } = newMailer();
    server.trouble = { at: 'data', answer: 550, words: '5.1.1 user unknown' };
    void mailer.send(mail, { mail: 'code' });
    await expect.poll(() => logged('mail not sent').length, soon).toBe(1);
    expect([mailer.isFailing, logged('mail can not be sent').length]).toEqual([false, 0]);
  });

  test('to an address that would be changed on the way is not sent, and says nothing about the server', async () => {
    const { mailer, logged } = newMailer();
    void mailer.send({ ...mail, to: '"a<b>c"@example.com' }, { mail: 'code' });
    await expect.poll(() => logged('mail not sent').length, soon).toBe(1);
    expect([mailer.isFailing, server.seen, server.inbox]).toEqual([false, [], []]);
  });

  test('goes again as soon as the server is back; away is one line, however many mails wait', async () => {
    const { mailer, logged } = newMailer(server.url, { retryDelaysMs: [100, 100, 5000] });
    await server.stop();
    for (let mails = 1; mails <= 20; mails += 1) void mailer.send(mail, { mail: 'code' });
    await expect.poll(() => mailer.isFailing, soon).toBe(true);
    await server.start();
    await expect.poll(() => logged('mail sent').length, soon).toBe(20);
    expect(server.inbox).toHaveLength(20);
    expect([logged('mail can not be sent').length, logged('mail is sent again').length]).toEqual([1, 1]);
    expect(mailer.isFailing).toBe(false);
  });

  test.each<Trouble['at']>(['greeting', 'recipient', 'data'])(
    'has a deadline: a server that falls silent at %s holds nothing for ever',
    async (at) => {
      const { mailer, logged } = newMailer(server.url, { retryDelaysMs: [10], attemptWithinMs: 100 });
      server.trouble = { at, answer: 'silence' };
      void mailer.send(mail, { mail: 'code' });
      await expect.poll(() => logged('mail not sent').length, soon).toBe(1);
      expect(mailer.isFailing).toBe(true);
    },
  );

  test('is not queued without end', async () => {
    const { mailer, logged } = newMailer(server.url, { closeWithinMs: 50 });
    server.trouble = { at: 'greeting', answer: 'silence' };
    for (let mails = 1; mails <= 1001; mails += 1) void mailer.send(mail, { mail: 'code' });
    expect(logged('mail dropped: too many are waiting')).toHaveLength(1);
    await mailer.close();
    expect(logged('mail not sent')).toHaveLength(1000);
  });
});

describe('closing', () => {
  test('sends first what is queued', async () => {
    const { mailer, logged } = newMailer();
    for (let mails = 1; mails <= 20; mails += 1) void mailer.send(mail, { mail: 'code' });
    await mailer.close();
    expect(logged('mail sent')).toHaveLength(20);
    expect(server.inbox).toHaveLength(20);
  });

  test('tries at once what waits to be tried again', async () => {
    const { mailer, logged } = newMailer(server.url, { retryDelaysMs: [60_000] });
    server.trouble = { at: 'data', answer: 452 };
    void mailer.send(mail, { mail: 'code' });
    await expect.poll(() => mailer.isFailing, soon).toBe(true);
    server.trouble = undefined;
    await mailer.close();
    expect(logged('mail sent')).toHaveLength(1);
  });

  test.each<Trouble>([
    { at: 'greeting', answer: 'silence' },
    { at: 'data', answer: 'silence' },
    { at: 'data', answer: 452 },
  ])('logs what can not be sent, and waits no longer than it may: $at, $answer', async (trouble) => {
    const { mailer, logged } = newMailer(server.url, { retryDelaysMs: [60_000], closeWithinMs: 300 });
    server.trouble = trouble;
    void mailer.send(mail, { id: 'r1', mail: 'code' });
    await expect.poll(() => server.seen.includes(trouble.at), soon).toBe(true);
    const startedAt = performance.now();
    await mailer.close();
    expect(performance.now() - startedAt).toBeLessThan(1000);
    expect(logged('mail not sent')).toMatchObject([{ id: 'r1', mail: 'code' }]);
  });
});

describe('smtpTransport', () => {
  async function send(url: string): Promise<void> {
    const transport = smtpTransport(url, mailFrom);
    try {
      await transport.sendMail(mail, new AbortController().signal);
    } finally {
      transport.close();
    }
  }

  test('sends in the clear on loopback, by every name of it', async () => {
    for (const host of ['localhost', '127.0.0.1']) await send(`smtp://${host}:${server.port}`);
    expect(server.inbox.map(({ secure }) => secure)).toEqual([false, false]);
  });

  test('elsewhere requires STARTTLS: without it nothing of the mail is said, and nobody logs in', async () => {
    const { mailer, logged } = newMailer(`smtp://ann:secret@${ownAddress}:${plain.port}`);
    void mailer.send(mail, { mail: 'code' });
    await expect.poll(() => logged('mail not sent').length, soon).toBe(1);
    expect([plain.seen, plain.inbox]).toEqual([['greeting'], []]);
    expect(mailer.isFailing).toBe(true);
    expect(logged('mail can not be sent')).toMatchObject([{ code: 'ETLS', command: 'STARTTLS' }]);
  });

  test('believes no certificate that nobody vouches for, by STARTTLS or smtps', async () => {
    const tls = await startMailServer({ secure: true });
    await expect(send(`smtp://${ownAddress}:${server.port}`)).rejects.toThrow(/self.signed/);
    await expect(send(`smtps://localhost:${tls.port}`)).rejects.toThrow(/self.signed/);
    expect([...server.inbox, ...tls.inbox]).toEqual([]);
  });

  test('sends in the clear elsewhere only where ?tls=optional says so', async () => {
    await send(`smtp://${ownAddress}:${plain.port}?tls=optional`);
    await expect(send(`smtp://${ownAddress}:${plain.port}?tls=maybe`)).rejects.toThrow();
    expect(plain.inbox.map(({ secure }) => secure)).toEqual([false]);
  });

  test('logs in with what the URL says, percent-encoded', async () => {
    const password = 'p@ss:/?#%ü';
    await send(
      `smtp://${encodeURIComponent('ann@example.com')}:${encodeURIComponent(password)}@localhost:${server.port}`,
    );
    expect(server.seen).toContain(`ann@example.com:${password}`);
    expect(server.inbox).toHaveLength(1);
  });
});
