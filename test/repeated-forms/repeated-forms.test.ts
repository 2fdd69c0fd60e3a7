import { expect, test } from 'vitest';
import { repeatSeconds } from '../../src/features/repeated-forms/repeated-forms.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { startApp } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const { url, redis } = await startApp({ redisAddress });
const elsewhere = await startApp({ redisAddress });
const html = { Accept: 'text/html' };
let people = 0;

/** The login form as a browser has it, filled in. */
async function filledForm() {
  const visitor = new Visitor(url, html);
  const { text } = await visitor.get('/login');
  const form = /name="form" value="([^"]*)"/.exec(text)?.[1] ?? '';
  people += 1;
  return { visitor, form: { form, email: `person-${people}@example.com`, next: '/admin?tab=2' } };
}

test('a login form that is sent 20 times at once, to two processes, ends in one session', async () => {
  const { visitor, form } = await filledForm();
  const copies = Array.from({ length: 20 }, (_, turn) => visitor.copy(turn % 2 ? url : elsewhere.url));
  const visits = await Promise.all(copies.map((copy) => copy.post('/login', { form })));
  expect(visits.map(({ status, location }) => [status, location])).toEqual(visits.map(() => [303, '/admin?tab=2']));
  expect(new Set(copies.map((copy) => copy.sessionId)).size).toBe(1);
  expect(await redis.zCard(tagOf(form.email))).toBe(1);
  for (const copy of copies) expect((await copy.get('/admin')).status).toBe(200);
});

test('sent again after that session has ended, it gets nothing but the form', async () => {
  const { visitor, form } = await filledForm();
  await visitor.post('/login', { form });
  await visitor.post('/logout');
  const again = await visitor.post('/login', { form });
  expect([again.status, again.setCookies]).toEqual([422, []]);
  expect(again.text).toContain(`value="${form.email}"`);
  const fresh = /name="form" value="([^"]*)"/.exec(again.text)?.[1] ?? '';
  expect((await visitor.post('/login', { form: { ...form, form: fresh } })).status).toBe(303);
});

test('it is another form for another address, in another browser, and once its time is over', async () => {
  const { visitor, form } = await filledForm();
  const senders = [visitor, new Visitor(url, { ...html, 'User-Agent': 'another' }), visitor.copy(), visitor.copy()];
  const emails = [form.email, form.email, 'another@example.com', form.email];
  for (const [position, sender] of senders.entries()) {
    const keys = await redis.keys('f:*');
    if (position === 3)
      for (const key of keys) {
        expect(await redis.ttl(key)).toBeGreaterThan(0);
        expect(await redis.ttl(key)).toBeLessThanOrEqual(repeatSeconds);
      }
    if (position === 3) await redis.del(keys);
    expect((await sender.post('/login', { form: { ...form, email: emails[position] ?? '' } })).status).toBe(303);
  }
  expect(new Set(senders.map((sender) => sender.sessionId)).size).toBe(4);
});

test('sent again with the other choice to stay signed in, by somebody who went back, it is another form', async () => {
  const { visitor, form } = await filledForm();
  await visitor.post('/login', { form });
  expect((await visitor.post('/login', { form: { ...form, remember: 'on' } })).status).toBe(303);
  expect((await visitor.get('/admin')).text).toContain('until you have been away for 14 days');
  expect(await redis.zCard(tagOf(form.email))).toBe(1);
});

test('a client whose form has no name signs in each time', async () => {
  const sign = (form?: string) =>
    new Visitor(url, { Accept: 'application/json' }).post('/login', { json: { email: 'json@example.com', form } });
  for (const form of [undefined, '', 'short', 'x'.repeat(65), '../../../../../../..']) {
    expect((await sign(form)).status).toBe(200);
  }
  expect(await redis.zCard(tagOf('json@example.com'))).toBe(5);
});
