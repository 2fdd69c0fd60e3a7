import { describe, expect, test } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import { startApp } from '../support/app.ts';
import { clients, xhr } from '../support/client.ts';
import { connect } from '../support/process.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { testRedis } from '../support/test-redis.ts';
import { askForCode, enterCode, newAddress, newBrowser, newIp, startCodeApp, wrongCode } from './code-login.ts';

const app = await startCodeApp();
const { url, mails } = app;

function typeOf({ headers }: { headers: Headers }): string | undefined {
  return headers.get('Content-Type')?.split(';')[0];
}

describe("the older client's XMLHttpRequest", () => {
  test.each(['*/*', 'text/html', 'text/plain, */*'])(
    'is told in text that a code is needed, and done only once it is signed in; Accept: %s',
    async (Accept) => {
      const email = newAddress();
      const client = newBrowser(url, { ...xhr, Accept });
      const asked = await client.post('/login', { form: { email, pass: 'x' } });
      expect([asked.status, typeOf(asked), asked.text]).toEqual([202, 'text/plain', 'code needed\n']);
      expect((await client.get('/admin')).status).toBe(401);

      const code = await mails.codeFor(email);
      const wrong = await enterCode(client, wrongCode(code));
      expect(wrong.status).toBe(422);
      expect(wrong.text).toContain(
        'That is not the code. If you got several mails, use the newest one. You have four tries left.',
      );
      expect(wrong.text).not.toContain('done');
      expect((await client.get('/admin')).status).toBe(401);

      const done = await enterCode(client, code);
      expect([done.status, typeOf(done), done.text]).toEqual([200, 'text/plain', 'done']);
      expect((await client.get('/admin', { headers: clients.html })).text).toContain(`Hello ${email}`);
    },
  );

  test('gets JSON if it asks for it, and still the word done at the end', async () => {
    const email = newAddress();
    const client = newBrowser(url, { ...xhr, Accept: 'application/json, text/javascript, */*; q=0.01' });
    const asked = await askForCode(client, email);
    expect([asked.status, JSON.parse(asked.text)]).toEqual([202, { status: 'code needed', enterAt: '/login/code' }]);
    expect((await enterCode(client, await mails.codeFor(email))).text).toBe('done');
  });
});

describe('a client of JSON', () => {
  const json = (code: unknown) => ({ json: { code } });

  test('is told where to send the code, what is wrong, and where to go at the end', async () => {
    const email = newAddress();
    const client = newBrowser(url, clients.json);
    const asked = await client.post('/login', { json: { email, next: '/admin?tab=2', remember: true } });
    expect([asked.status, JSON.parse(asked.text)]).toEqual([202, { status: 'code needed', enterAt: '/login/code' }]);
    const code = await mails.codeFor(email);

    const wrong = await client.post('/login/code', json(wrongCode(code)));
    const tries = 'That is not the code. If you got several mails, use the newest one. You have four tries left.';
    expect([wrong.status, JSON.parse(wrong.text)]).toEqual([422, { error: tries, field: 'code' }]);
    const none = await client.post('/login/code', json('?'));
    const digits = 'Enter the eight digits of the code.';
    expect([none.status, JSON.parse(none.text)]).toEqual([422, { error: digits, field: 'code' }]);

    const done = await client.post('/login/code', json(code));
    expect([done.status, JSON.parse(done.text)]).toEqual([200, { status: 'done', next: '/admin?tab=2' }]);
    const again = await client.post('/login/code', { json: { code, next: '/admin?tab=2' } });
    expect([again.status, JSON.parse(again.text)]).toEqual([200, { status: 'done', next: '/admin?tab=2' }]);
    await client.post('/logout');
    const late = await client.post('/login/code', json(code));
    const over = 'That code can no longer be used. Ask for a new one here.';
    expect([late.status, JSON.parse(late.text)]).toEqual([422, { error: over, startAt: '/login' }]);
  });

  test('can ask for another code', async () => {
    const email = newAddress();
    const client = newBrowser(url, clients.json);
    await askForCode(client, email);
    const again = await client.post('/login/code/again');
    expect([again.status, JSON.parse(again.text).status]).toEqual([202, 'code needed']);
    expect((await enterCode(client, await mails.codeFor(email, 2))).status).toBe(200);
  });
});

// Otherwise a stranger who never waits for an answer could use up an address's mails, and nobody would hear of it.
test('a client that disconnects before the answer still causes the mail and its log line', async () => {
  const redisAddress = await testRedis();
  const link = await startTcpProxy({ path: redisAddress.socketPath });
  afterwards(link.close);
  const slow = await startCodeApp({ mails, redisAddress: { url: `redis://127.0.0.1:${link.port}` } });
  const { redis } = await startApp({ redisAddress });
  link.delayMs = 200;
  const [email, ip] = [newAddress(), newIp()];
  const body = `email=${encodeURIComponent(email)}`;
  const head = `POST /login HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${ip}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n`;
  const { socket } = await connect(slow.url, head + body);
  await expect.poll(() => redis.keys(`l:ask:*:{${ip}}`), { timeout: 8000, interval: 5 }).not.toHaveLength(0);
  socket.destroy();
  await mails.codeFor(email);
  // feature: request-log
  expect(slow.logged().find(({ msg }) => msg === 'request')).toMatchObject({ path: '/login', aborted: true });
  // end: request-log
});

test('without sign-in by code its pages are 404', async () => {
  const trusting = await startApp();
  for (const path of ['/login/code', '/end-session', '/dev/mails']) {
    expect((await newBrowser(trusting.url).get(path)).status).toBe(404);
  }
});
