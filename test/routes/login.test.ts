import { describe, expect, test } from 'vitest';
import { handleOf } from '../../src/session/session-id.ts';
import { startApp } from '../support/app.ts';
import { ask, clients, signedIn, xhr } from '../support/client.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { Visitor } from '../support/visitor.ts';

const { url, redis, logged } = await startApp();

describe('GET /login', () => {
  test('shows the form', async () => {
    const { text } = await ask(url, 'get', '/login').expect(200).expect('Cache-Control', 'no-store');
    expect(text).toMatch(/<form[^>]* method="post" action="\/login"/);
    expect(text.replace(/<style>[^<]*/, '')).not.toContain('aria-invalid');
  });

  test('keeps where to go next, as long as it is a path of this site', async () => {
    const { text } = await ask(url, 'get', '/login?next=/admin%3Ftab%3D2').expect(200);
    expect(text).toContain('<input type="hidden" name="next" value="/admin?tab=2">');
    for (const next of ['//evil.example', 'https://evil.example', '/\\evil.example', '/a&next=/b']) {
      const page = await ask(url, 'get', `/login?next=${next}`).expect(200);
      // The dot, since the random id of the form has none, but may spell any word.
      expect(page.text).not.toContain('evil.');
    }
  });

  test('takes somebody signed in straight on', async () => {
    const visitor = await signedIn(url);
    await ask(url, 'get', '/login', visitor).expect(303).expect('Location', '/admin');
    await ask(url, 'get', '/login?next=/%3Fx=1', visitor).expect(303).expect('Location', '/?x=1');
    await ask(url, 'get', '/login?next=//evil.example', visitor).expect(303).expect('Location', '/admin');
  });
});

describe('POST /login', () => {
  test('signs in, and goes to /admin', async () => {
    const visitor = new Visitor(url);
    const { status, location } = await visitor.post('/login', { form: { email: 'ann@example.com' } });
    expect([status, location]).toEqual([303, '/admin']);
    expect((await visitor.get('/admin')).text).toContain('Hello ann@example.com');
  });

  test('signs in by JSON', async () => {
    const visitor = new Visitor(url);
    const json = { email: ' Ann@Example.com ', next: '/?x' };
    const { status, text } = await visitor.post('/login', { json, headers: clients.json });
    expect([status, JSON.parse(text)]).toEqual([200, { status: 'done', next: '/?x' }]);
    expect((await visitor.get('/admin')).text).toContain('Hello ann@example.com');
  });

  test('goes where the form or the query says, the form first', async () => {
    const go = async (path: string, form: Record<string, string>) =>
      (await new Visitor(url).post(path, { form: { email: 'ann@example.com', ...form } })).location;
    expect(await go('/login', { next: '/a?b=c#d' })).toBe('/a?b=c#d');
    expect(await go('/login?next=/a', {})).toBe('/a');
    expect(await go('/login?next=/a', { next: '/b' })).toBe('/b');
    expect(await go('/login?next=/a&next=/b', {})).toBe('/admin');
  });

  // ASVS 3.7.2
  test.each([
    '//evil.example',
    '/\\evil.example',
    'https:evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '/.//evil.example',
    'javascript:alert(1)',
    '/\r\nLocation: //evil.example',
  ])('stays on this site when next is %j', async (next) => {
    const { location } = await new Visitor(url).post('/login', { form: { email: 'ann@example.com', next } });
    expect(location).toBe('/admin');
  });

  // ASVS 7.2.4
  test('gives a new session id to somebody signed in, and ends the old session', async () => {
    const visitor = await signedIn(url, 'first@example.com');
    const before = visitor.copy();
    await visitor.signIn('second@example.com');
    expect(visitor.sessionId).not.toBe(before.sessionId);
    expect((await before.get('/admin')).status).toBe(401);
    expect((await visitor.get('/admin')).text).toContain('Hello second@example.com');
  });

  // Session fixation: an id that somebody else chose is never taken over.
  test('takes no session id from outside', async () => {
    const visitor = new Visitor(url);
    visitor.cookies.set('session', `s%3A${'A'.repeat(38)}.forged`);
    await visitor.signIn('ann@example.com');
    expect(visitor.sessionId).not.toBe('A'.repeat(38));
  });

  test('leaves one line in the log, with the public handle and the id of the request', async () => {
    const visitor = await signedIn(url);
    const line = logged().findLast(({ msg }) => msg === 'signed in');
    expect(line).toMatchObject({ session: handleOf(visitor.sessionId), id: expect.any(String) });
    expect(logged().filter(({ id, msg }) => id === line?.id && msg === 'request')).toHaveLength(1); // feature: request-log
  });
});

describe("the older client's XMLHttpRequest, with email and pass", () => {
  test('is told done once the session is stored, and then sees /admin', async () => {
    const visitor = new Visitor(url);
    const pass = `pass-${crypto.randomUUID()}`;
    keepOutOfLogs(pass);
    const answer = await visitor.post('/login', { form: { email: 'old@example.com', pass }, headers: xhr });
    expect([answer.status, answer.text]).toEqual([200, 'done']);
    expect(answer.headers.get('Content-Type')).toMatch(/^text\/plain/);
    expect((await visitor.get('/admin')).text).toContain('Hello old@example.com');

    const stored = await Promise.all((await redis.keys('{*')).map((key) => redis.get(key)));
    expect(stored.join()).toContain('old@example.com');
    expect(stored.join()).not.toContain(pass);
  });

  test.each([['application/json, text/javascript, */*; q=0.01'], ['text/html'], ['*/*']])(
    'is told done whatever it says to accept: %s',
    async (Accept) => {
      await ask(url, 'post', '/login')
        .type('form')
        .set({ ...xhr, Accept })
        .send({ email: 'old@example.com', pass: 'x' })
        .expect(200, 'done');
    },
  );

  test('is told in a line what is wrong with an address', async () => {
    await ask(url, 'post', '/login')
      .type('form')
      .set(xhr)
      .send({ email: '' })
      .expect(422, 'Enter your e-mail address.\n');
  });

  test('may send JSON', async () => {
    await ask(url, 'post', '/login').set(xhr).send({ email: 'old@example.com', pass: 'x' }).expect(200, 'done');
  });
});

describe('what a client reads', () => {
  test.each([
    ['text/plain', 'text/plain'],
    ['text/plain, text/html;q=0.9', 'text/plain'],
    ['text/html, text/plain;q=0.9', 'text/html'],
    ['application/json', 'application/json'],
    ['application/json;q=0.5, text/plain;q=0.4', 'application/json'],
    ['*/*', 'text/html'],
    ['image/png', 'text/html'],
    ['', 'text/html'],
    [';;q=x', 'text/html'],
  ])('follows the Accept header %j: %s', async (Accept, type) => {
    const { headers } = await ask(url, 'post', '/login').type('form').set({ Accept }).send({ email: 'x' }).expect(422);
    expect(headers['content-type']).toMatch(new RegExp(`^${type}`));
    expect(headers.vary).toMatch(/Accept, X-Requested-With/);
  });

  test('is text for a client that prefers text: done', async () => {
    const { text } = await ask(url, 'post', '/login').type('form').set(clients.text).send({ email: 'ann@example.com' });
    expect(text).toBe('done');
  });
});
