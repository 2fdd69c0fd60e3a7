import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask, clients, signedIn } from '../support/client.ts';
import { waitsFor } from '../support/round-trips.ts';
import { Visitor } from '../support/visitor.ts';

const { url, redis, logged } = await startApp();

/** The handles of the sessions that a page offers to end. */
function handlesIn(page: string): string[] {
  return [...page.matchAll(/name="session" value="([^"]+)"/g)].map(([, handle]) => handle ?? '');
}

describe('GET /admin', () => {
  test('asks a visitor to log in, and shows the form', async () => {
    const { text } = await ask(url, 'get', '/admin').set(clients.html).expect(401);
    expect(text).toContain('Please login first.');
    expect(text).toMatch(/<main[\s\S]*<form[^>]* method="post" action="\/login"/);
    await ask(url, 'get', '/admin').set(clients.text).expect(401, 'Please login first.\n');
    await ask(url, 'get', '/admin').set(clients.json).expect(401, { error: 'Please login first.' });
  });

  test('takes two commands, however many sessions it lists', async () => {
    const visitor = await signedIn(url, 'quick@example.com');
    for (let count = 1; count < 20; count += 1) await signedIn(url, 'quick@example.com');
    const visit = async () => expect((await visitor.get('/admin')).text).toContain('Show 10 more sessions');
    expect(await waitsFor(visit)).toMatchObject({ commands: 2 });
    expect(await waitsFor(visit)).toMatchObject({ roundTrips: 1 }); // feature: performance
  });

  test('keeps the query on the way back', async () => {
    const { text } = await ask(url, 'get', '/admin?a=1&b=%2F').expect(401);
    expect(text).toContain('name="next" value="/admin?a=1&amp;b=%2F"');
  });

  test('guards every path below it, in every spelling that Express treats as the same', async () => {
    for (const path of ['/admin/', '/ADMIN', '/admin/nowhere', '/admin/end-session', '/admin?x', '/admin/%zz']) {
      await ask(url, 'get', path).expect(401);
    }
    await ask(url, 'post', '/admin/end-session').expect(401);
    await ask(url, 'post', '/admin/end-other-sessions').expect(401);
  });

  test('greets the address, and lists its sessions with a way to log out', async () => {
    const visitor = await signedIn(url, 'greeted@example.com');
    const { text } = await ask(url, 'get', '/admin', visitor).expect(200).expect('Cache-Control', 'no-store');
    expect(text).toMatch(/<h1[^>]*>Hello greeted@example\.com<\/h1>/);
    expect(text).toContain('This session');
    expect(text).toMatch(/<form[^>]* method="post" action="\/logout"/);
    expect(handlesIn(text)).toEqual([]);
  });

  test('shows neither a session id nor a session of another address', async () => {
    const [visitor, other] = [await signedIn(url, 'one@example.com'), await signedIn(url, 'two@example.com')];
    await other.copy().signIn('two@example.com');
    const { text } = await visitor.get('/admin');
    expect(text).not.toContain(visitor.sessionId);
    expect(text).not.toContain('two@example.com');
    expect(handlesIn(text)).toEqual([]);
  });
});

describe('POST /admin/end-session', () => {
  test('ends the session that was chosen, and only that', async () => {
    const here = await signedIn(url, 'several@example.com');
    const there = await signedIn(url, 'several@example.com');
    const [handle = '', ...others] = handlesIn((await here.get('/admin')).text);
    expect(others).toEqual([]);
    const { status, location } = await here.post('/admin/end-session', { form: { session: handle } });
    expect([status, location]).toEqual([303, '/admin']);
    const told = 'The session has been ended.';
    expect((await here.get('/admin', { method: 'HEAD' })).status).toBe(200);
    expect((await here.get('/admin')).text).toContain(told);
    expect((await here.get('/admin')).text).not.toContain(told);
    expect((await there.get('/admin')).status).toBe(401);
    expect((await here.get('/admin')).status).toBe(200);
    expect(logged()).toContainEqual(expect.objectContaining({ msg: 'session ended', session: handle }));
  });

  // As after "Send it again", or in a tab from before, in a browser where another address has logged in since.
  test("ends nobody else's session, and does not say that it has ended", async () => {
    const owner = await signedIn(url, 'owner@example.com');
    await signedIn(url, 'owner@example.com');
    const [handle = ''] = handlesIn((await owner.get('/admin')).text);
    const thief = await signedIn(url, 'thief@example.com');
    await thief.post('/admin/end-session', { form: { session: handle } });
    const { text } = await thief.get('/admin');
    expect(text).toContain('You have no such session any more.');
    expect(text).not.toMatch(/had already|has been ended/);
    expect(handlesIn((await owner.get('/admin')).text)).toEqual([handle]);
  });

  test.each([undefined, {}, { session: ['x'] }, { session: { $ne: '' } }, { session: 7 }, []])(
    'asks which session is meant, when the body is %j',
    async (json) => {
      const visitor = await signedIn(url);
      const answer = await visitor.post('/admin/end-session', { json, headers: clients.text });
      expect([answer.status, answer.text]).toEqual([422, 'Which session? Go back and choose one from the list.\n']);
    },
  );
});

describe('POST /admin/end-other-sessions', () => {
  // ASVS 7.4.3
  test('ends all sessions of the address but this one', async () => {
    const here = await signedIn(url, 'all@example.com');
    const others = [await signedIn(url, 'all@example.com'), await signedIn(url, 'all@example.com')];
    const stranger = await signedIn(url, 'stranger@example.com');
    const { status, location } = await here.post('/admin/end-other-sessions');
    expect([status, location]).toEqual([303, '/admin']);
    expect((await here.get('/admin')).text).toContain('2 other sessions have been ended.');
    for (const other of others) expect((await other.get('/admin')).status).toBe(401);
    for (const visitor of [here, stranger]) expect((await visitor.get('/admin')).status).toBe(200);
    expect(logged()).toContainEqual(expect.objectContaining({ msg: 'other sessions ended', ended: 2 }));
  });
});

test('sessions can be ended while Redis is full, and the visitor is not told otherwise', async () => {
  const here = await signedIn(url, 'full@example.com');
  const other = await signedIn(url, 'full@example.com');
  await redis.configSet('maxmemory', '1');
  const { status, location } = await here.post('/admin/end-other-sessions');
  await redis.configSet('maxmemory', '0');
  expect([status, location, (await other.get('/admin')).status]).toEqual([303, '/admin', 401]);
  expect((await here.get('/admin')).status).toBe(200);
});

test('a forged cookie is nobody', async () => {
  const visitor = new Visitor(url);
  for (const value of ['s:x.y', 'x', '%', 's%3A', 'j:{"email":"ann@example.com"}', 'a'.repeat(4000)]) {
    visitor.cookies.set('session', value);
    expect([value, (await visitor.get('/admin')).status]).toEqual([value, 401]);
  }
});
