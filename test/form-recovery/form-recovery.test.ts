import express from 'express';
import { describe, expect, test } from 'vitest';
import { recoverForm } from '../../src/features/form-recovery/form-recovery.ts';
import { requireLogin } from '../../src/middleware/require-login.ts';
import { startApp } from '../support/app.ts';
import { ask, clients, type Method, signedIn } from '../support/client.ts';
import { showErrorData } from '../support/error-data.ts';
import { gate, startFork } from '../support/fork.ts';
import { offersOf } from '../support/offers.ts';
import { connect } from '../support/process.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });
const withoutRedis = await startApp();
const lostVisitor = await signedIn(withoutRedis.url);
await withoutRedis.redis.sendCommand(['SHUTDOWN', 'NOSAVE']).catch(() => {});
const lost = (method: Method, path: string) => ask(withoutRedis.url, method, path, lostVisitor).set(clients.html);

test('a sign-in that fails on our side is answered with the form and what was typed', async () => {
  const sent = { email: 'Ann&co@example.com ', next: '/admin?x=1', remember: 'on', pass: 'of-ann' };
  const { text } = await lost('post', '/login').type('form').send(sent).expect(503);
  const fields = { email: 'Ann&amp;co@example.com ', next: '/admin?x=1', remember: true };
  expect(offersOf(text)).toMatchObject({ links: [], forms: [{ action: '/login', button: 'Try again', fields }] });
});

test('any other form that fails on our side can be sent again with a button', async () => {
  const sent = { session: 'a"b', other: '<1>' };
  const { text } = await lost('post', '/admin/end-session?x=1').type('form').send(sent).expect(503);
  const fields = { session: 'a&#34;b', other: '&lt;1&gt;' };
  const form = { action: '/admin/end-session?x=1', button: 'Try again', fields };
  expect(offersOf(text)).toEqual({ links: [], forms: [form] });
  const button = await lost('post', '/logout').expect(503);
  expect(offersOf(button.text).forms).toEqual([{ action: '/logout', button: 'Try again', fields: {} }]);
});

test('a form of another site is not repeated, even without Redis: a click would send it as ours', async () => {
  for (const path of ['/login', '/admin/end-session', '/logout']) {
    const { text } = await lost('post', path)
      .set('Sec-Fetch-Site', 'cross-site')
      .type('form')
      .send({ email: 'eve@evil.example' })
      .expect(403);
    expect(offersOf(text)).toEqual({ links: [], forms: [] });
  }
});

// Otherwise the sign-in would end on a 405.
test('after a form whose session has ended, the login leads to the page of the form', async () => {
  for (const path of ['/admin/end-session', '/admin/end-other-sessions']) {
    const asked = ask(app.url, 'post', path).set({ ...clients.html, Referer: `${app.url}/admin?page=2` });
    const { text } = await asked.type('form').send({ session: 'x' }).expect(401);
    expect(text).toContain('Please login first.');
    const [login] = offersOf(text).forms;
    expect(login).toMatchObject({ action: '/login', fields: { next: '/admin?page=2' } });
  }
});

test('a form in HTTP/1.0, which needs no Host, gets its page as well', async () => {
  // Elsewhere, a request that names no host is refused.
  const { url } = await startApp({ redisAddress, config: { production: true, https: true } });
  const { received, closed } = await connect(url, 'POST /admin/end-session HTTP/1.0\r\nContent-Length: 0\r\n\r\n');
  await closed;
  expect(received()).toMatch(/^HTTP\/1\.1 401 /);
  expect(received()).toContain('Please login first.');
});

const submitLabel = 'Go (opens a new tab)';
const arrived = gate();
const mayGoOn = gate();
const forkUrl = await startFork(
  app.redis,
  (fork) => {
    showErrorData(fork, ['status', 'loginForm', 'section', 'action', 'link']);
    fork.locals.signInForm = { button: 'Go' };
    fork.use(express.urlencoded({ extended: false }));
    fork.use('/guarded', requireLogin);
    fork.post('/fails', () => {
      throw new Error('a fault');
    });
    fork.post('/slow', async (req, res) => {
      arrived.open();
      await mayGoOn.opened;
      req.session.device = 'changed';
      res.redirect(303, '/');
    });
  },
  { extendStep: recoverForm },
);

describe('a form that outlived its session', () => {
  const form = { title: 'a "quoted" <b>', text: 'two\r\nlines' };
  const keptForm = (next: string, action: string) => ({
    status: 401,
    loginForm: { next, target: '_blank', submitLabel },
    section: { view: 'form-recovery/resend', data: { action, fields: Object.entries(form) } },
  });

  test('is kept with all that was typed, and login leads back to the page it is on', async () => {
    const headers = { Referer: `${forkUrl}/guarded/new?copy=7` };
    const { status, text } = await new Visitor(forkUrl).post('/guarded/notes?draft=1', { form, headers });
    expect([status, JSON.parse(text)]).toEqual([401, keptForm('/guarded/new?copy=7', '/guarded/notes?draft=1')]);
  });

  test('is kept, too, when only the save finds out that the session has ended', async () => {
    const visitor = await signedIn(app.url);
    const answer = visitor.copy(forkUrl).post('/slow', { form });
    await arrived.opened;
    await visitor.post('/logout');
    mayGoOn.open();
    const { status, text } = await answer;
    expect([status, JSON.parse(text)]).toEqual([401, keptForm('/admin', '/slow')]);
  });

  test('keeps several values of one field', async () => {
    const body = 'tag=a&tag=b';
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const { text } = await new Visitor(forkUrl).post('/guarded', { body, headers });
    expect(JSON.parse(text).section.data.fields).toEqual([
      ['tag', 'a'],
      ['tag', 'b'],
    ]);
  });

  test.each(['https://evil.example/guarded/new', 'not a url', '//evil.example', undefined])(
    'does not lead to another site: %s',
    async (referer) => {
      const headers = referer === undefined ? {} : { Referer: referer };
      const { text } = await new Visitor(forkUrl).post('/guarded', { form, headers });
      expect(JSON.parse(text).loginForm.next).toBe('/admin');
    },
  );

  test('is not offered for a page or a body that is no form', async () => {
    for (const visit of [
      await new Visitor(forkUrl).get('/guarded'),
      await new Visitor(forkUrl).post('/guarded'),
      await new Visitor(forkUrl).post('/guarded', { json: { a: 1 } }),
    ]) {
      const { loginForm, section } = JSON.parse(visit.text);
      expect([visit.status, loginForm.target, section]).toEqual([401, undefined, undefined]);
    }
  });
});

describe("a form that can't be kept is not sent again empty", () => {
  const boundary = 'multipart/form-data; boundary=x';
  test.each([
    ['a file', 500, boundary, '--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\na\r\n--x--\r\n'],
    ['too much', 413, 'application/x-www-form-urlencoded', `text=${'x'.repeat(200_000)}`],
  ])('with %s it leads back to its page, where that is known', async (_, status, type, body) => {
    for (const [referer, link] of [
      [`${forkUrl}/pictures/new?a=1`, { href: '/pictures/new?a=1', label: 'Back to the form' }],
      [`${forkUrl}//evil.example/`, { href: '/evil.example/', label: 'Back to the form' }],
      ['https://evil.example/', undefined],
      [`${forkUrl.replace('http', 'x')}/\\evil.example`, undefined],
    ] as const) {
      const headers = { 'Content-Type': type, Referer: referer };
      const visit = await new Visitor(forkUrl).post('/fails', { body, headers });
      expect([visit.status, JSON.parse(visit.text)]).toEqual([status, { status, link }]);
    }
  });
});
