import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Failure, ownAddress, startMailServer } from '../mail/mail-server.ts';
import { certificateFor } from '../support/certificate.ts';
import { clients } from '../support/client.ts';
import { newDirectory, type RunningServer, startServer } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { Visitor } from '../support/visitor.ts';
import { askForCode, newAddress, newBrowser, signInByCode } from './code-login.ts';

function startWith(smtpUrl: string, env: Record<string, string> = {}): Promise<RunningServer> {
  // Unset, SIGN_IN is `code` where SMTP_URL is set.
  return startServer({ env: { SMTP_URL: smtpUrl, SIGN_IN: '', TRUST_PROXY: '1', ...env } });
}

const soon = { timeout: 8000, interval: 20 };

async function readiness(server: RunningServer): Promise<[number, string]> {
  const { status, text } = await new Visitor(server.url()).get('/readyz');
  return [status, text];
}

async function secondsToEnd(server: RunningServer): Promise<number> {
  const startedAt = performance.now();
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  return (performance.now() - startedAt) / 1000;
}

describe('SMTP_URL', () => {
  test('makes sign-in be by code, and neither code nor address is printed (ASVS 16.2.5)', async () => {
    const mails = await startMailServer();
    const server = await startWith(mails.url);
    const email = newAddress();
    const browser = newBrowser(server.url());
    await signInByCode({ mails }, browser, email);
    const code = await mails.codeFor(email);
    await mails.mailTo(email, 'notice');
    expect((await browser.get('/admin')).text).toContain(`Hello ${email}`);
    await expect.poll(() => server.logged('mail sent'), soon).toMatchObject([{ mail: 'code' }, { mail: 'notice' }]);
    expect(await readiness(server)).toEqual([200, 'ok\n']);
    const printed = server.printed().replace(/"time":\d+/g, '');
    for (const secret of [email, code]) expect(printed).not.toContain(secret);
  });

  test.each([false, true])(
    'sends by TLS, with a certificate that is vouched for and a password; smtps: %s',
    async (smtps) => {
      const host = smtps ? 'localhost' : ownAddress;
      const certificate = certificateFor(host);
      const file = join(newDirectory('authority-'), 'authority.pem');
      writeFileSync(file, certificate.cert);
      const mails = await startMailServer({
        ...certificate,
        secure: smtps,
        authOptional: false,
        allowInsecureAuth: false,
      });
      const smtpUrl = `smtp${smtps ? 's' : ''}://latchkey:secret@${host}:${mails.port}`;
      const server = await startWith(smtpUrl, { NODE_EXTRA_CA_CERTS: file });
      const email = newAddress();
      await askForCode(newBrowser(server.url()), email);
      await mails.codeFor(email);
      expect(mails.inbox.map(({ secure }) => secure)).toEqual([true]);
      expect(mails.seen).toContain('latchkey:secret');
    },
  );
});

describe('a mail server that is away', () => {
  test('is logged once, and mail goes again when the server is back', async () => {
    const mails = await startMailServer();
    const server = await startWith(mails.url);
    await mails.stop();
    const email = newAddress();
    const browser = newBrowser(server.url());
    const visit = await askForCode(browser, email);
    expect([visit.status, visit.location]).toEqual([303, '/login/code']);
    await askForCode(newBrowser(server.url()), newAddress());
    await expect.poll(() => server.logged('mail cannot be sent'), soon).toHaveLength(1);
    expect(await readiness(server)).toEqual([200, 'ok\n']);
    expect((await browser.get('/login/code')).text).toContain('Check your mail');

    await mails.start();
    await mails.codeFor(email);
    await expect.poll(() => server.logged('mail is being sent again'), soon).toHaveLength(1);
  });

  test('or refuses, is seen by the operator, and the visitor sees the same page', async () => {
    const mails = await startMailServer();
    const server = await startWith(mails.url);
    mails.failure = { at: 'data', answer: 554 };
    const visitor = newBrowser(server.url(), clients.text);
    expect((await askForCode(visitor, newAddress())).text).toBe('code needed\n');
    await expect.poll(() => server.logged('mail not sent'), soon).toHaveLength(1);
  });
});

describe('stopping and killing', () => {
  test('loses nothing: what was promised is sent after the next start, once', async () => {
    const mails = await startMailServer();
    const redis = await startRedisServer('of-the-operator', ['--appendonly', 'yes', '--appendfsync', 'always']);
    const env = { REDIS_URL: redis.url, SESSION_SECRET: 'a secret of the operator of 32 characters and more' };
    mails.failure = { at: 'recipient', answer: 450 };
    const addresses = Array.from({ length: 8 }, () => newAddress());
    const first = await startWith(mails.url, env);
    for (const email of addresses.slice(0, 4)) await askForCode(newBrowser(first.url()), email);
    process.kill(first.pid, 'SIGKILL');
    await first.ended;
    const second = await startWith(mails.url, env);
    for (const email of addresses.slice(4)) await askForCode(newBrowser(second.url()), email);
    expect(await secondsToEnd(second)).toBeLessThan(5);
    await redis.kill();
    await redis.start();
    mails.failure = undefined;
    await startWith(mails.url, env);
    for (const email of addresses) await mails.codeFor(email);
    expect(mails.inbox).toHaveLength(addresses.length);
  });

  test.each<Failure>([
    { at: 'greeting', answer: 'silence' },
    { at: 'data', answer: 'silence' },
  ])('is not held up by a mail server that falls silent: $at', async (failure) => {
    const mails = await startMailServer();
    mails.failure = failure;
    const server = await startWith(mails.url);
    await askForCode(newBrowser(server.url()), newAddress());
    await expect.poll(() => mails.seen, soon).toContain(failure.at);
    expect(await secondsToEnd(server)).toBeLessThan(5);
  });
});
