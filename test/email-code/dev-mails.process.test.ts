import { describe, expect, test } from 'vitest';
import { codeIn, startMailServer } from '../mail/mail-server.ts';
import { startApp } from '../support/app.ts';
import { ask, clients } from '../support/client.ts';
import { startServer } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { Visitor } from '../support/visitor.ts';
import { newAddress } from './code-login.ts';

const soon = { timeout: 8000 };

describe('GET /dev/mails', () => {
  test('in development with SIGN_IN=code and no SMTP_URL shows the last mails, which let a visitor in', async () => {
    const server = await startServer({ env: { SIGN_IN: 'code' } });
    const visitor = new Visitor(server.url(), clients.html);
    expect((await visitor.get('/dev/mails')).text).toContain('Nothing yet.');
    const hint = 'no SMTP_URL: mail is not sent, read it at /dev/mails';
    await expect.poll(() => server.logged(hint), soon).toHaveLength(1);

    const email = newAddress();
    await visitor.post('/login', { form: { email } });
    await expect.poll(async () => (await visitor.get('/dev/mails')).text, soon).toContain(email);
    const { text, headers } = await visitor.get('/dev/mails');
    expect(headers.get('Cache-Control')).toBe('no-store');
    const code = codeIn({ subject: text });
    expect(text).toContain(`/login/code#${code}`);
    await visitor.post('/login/code', { form: { code } });
    expect((await visitor.get('/admin')).text).toContain(`Hello ${email}`);

    for (let times = 1; times <= 25; times += 1) await visitor.post('/login', { form: { email: newAddress() } });
    await expect.poll(async () => (await visitor.get('/dev/mails')).text.match(/<article/g)?.length, soon).toBe(20);
    // Eight digits occur by chance among the times in a log.
    expect(server.printed().replace(/"time":\d+/g, '')).not.toContain(code);
  });

  test('is not there under a name that somebody else can make point here', async () => {
    const { url } = await startApp({ env: { SIGN_IN: 'code' } });
    const { port } = new URL(url);
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, '192.168.1.7']) {
      await ask(url, 'get', '/dev/mails').set('Host', host).expect(200);
    }
    for (const host of [`rebound.evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example', '[', '%']) {
      await ask(url, 'get', '/dev/mails').set({ Host: host, 'X-Forwarded-Host': 'localhost' }).expect(421);
    }
  });

  test('is there under the name of BASE_URL, which the operator chose', async () => {
    const { url } = await startApp({ env: { SIGN_IN: 'code', BASE_URL: 'http://dev.example.test:3000' } });
    await ask(url, 'get', '/dev/mails').set('Host', 'dev.example.test:3000').expect(200);
    await ask(url, 'get', '/dev/mails').set('Host', 'evil.example.test:3000').expect(421);
  });

  test('is not there when mail is sent, nor when addresses are trusted', async () => {
    const mails = await startMailServer();
    for (const env of [{ SMTP_URL: mails.url, SIGN_IN: '' }, { SIGN_IN: 'trust' }]) {
      const server = await startServer({ env });
      expect((await new Visitor(server.url()).get('/dev/mails')).status).toBe(404);
    }
  });

  test('is not there in production, which does not start by code without a mail server', async () => {
    const mails = await startMailServer();
    const redis = await startRedisServer('of-the-operator');
    const env = {
      NODE_ENV: 'production',
      BASE_URL: 'http://localhost:3000',
      SESSION_SECRET: 'a secret of the operator of 32 characters and more',
      REDIS_URL: redis.url,
      SIGN_IN: 'code',
    };
    await expect(startServer({ env })).rejects.toThrow(/SMTP_URL is missing/);
    const server = await startServer({ env: { ...env, SMTP_URL: mails.url } });
    const visitor = new Visitor(server.url(), clients.html);
    await visitor.post('/login', { form: { email: 'ann@example.com' } });
    await mails.codeFor('ann@example.com');
    expect((await visitor.get('/dev/mails')).status).toBe(404);
  });
});
