import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { noDevice, RevocationLinks } from '../../src/features/email-code/revocation-links.ts';
import { formatTime } from '../../src/http/date-format.ts';
import { handleOf, tagOf } from '../../src/session/session-id.ts';
import { ask } from '../support/client.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';
import { newAddress, newBrowser, signInByCode, startCodeApp } from './code-login.ts';

const redisAddress = await testRedis();
const app = await startCodeApp({ redisAddress });
const otherInstance = await startCodeApp({ redisAddress, mails: app.mails });
const { mails, redis } = app;

/** Somebody who has signed in with a browser that was not seen before, and the link of the notice. */
async function noticed(options: { email?: string; count?: number; form?: Record<string, string> } = {}) {
  const { email = newAddress(), count = 1, form = {} } = options;
  const browser = newBrowser(app.url);
  await signInByCode(app, browser, email, { count, form });
  const { text = '' } = await mails.mailTo(email, 'notice', count);
  const link = new URL(/http\S+\/end-session\?\S+/.exec(text)?.[0] ?? '');
  const token = link.searchParams.get('token') ?? '';
  keepOutOfLogs(token);
  return { email, browser, link, token };
}

function press(token: string, url = otherInstance.url) {
  return new Visitor(url, { Accept: 'text/html' }).post('/end-session', { form: { token } });
}

function recordKey(token: string): string {
  return `n:${createHash('sha256').update(token).digest('base64url').slice(0, 22)}`;
}

describe('the notice of a new browser', () => {
  test('goes to the owner, and says which browser and when, in text and HTML', async () => {
    const { email, link } = await noticed();
    const { subject, text, html } = await mails.mailTo(email, 'notice');
    expect(subject).toBe(`New sign-in to ${readConfig({}).siteName}`);
    expect(link.origin).toBe(app.url);
    for (const body of [text, html]) {
      expect(body).toContain('Firefox on Linux signed in with your address on ');
      expect(body).toMatch(/on \w{3}, \d{1,2} \w{3} \d{4}, \d\d:\d\d UTC/);
      expect(body).toContain('If this was you, there is nothing to do.');
      expect(body).toContain(link.href);
    }
  });

  test('is not sent for a browser that was seen before, but is for another one', async () => {
    const own = await startCodeApp();
    const email = newAddress();
    const browser = newBrowser(own.url);
    for (const count of [1, 2, 3]) await signInByCode(own, browser, email, { count });
    await signInByCode(own, newBrowser(own.url), email, { count: 4 });
    // Sends what is queued.
    await own.close();
    await own.mails.mailTo(email, 'notice', 2);
  });

  test('a browser that somebody else signed in with is new to this address', async () => {
    const { browser } = await noticed();
    const email = newAddress();
    await signInByCode(app, browser, email);
    await mails.mailTo(email, 'notice');
  });

  test.each([
    ['the session', {}, 8 * 3600],
    ['a session that is kept', { remember: 'on' }, 30 * 86_400],
  ])('is kept with a hash of its token alone, and as long as %s can live', async (_what, form, absoluteSeconds) => {
    const before = new Set(await redis.keys('n:*'));
    const { token } = await noticed({ form });
    const keys = await redis.keys('*');
    expect(keys.join()).not.toContain(token);
    const added = keys.filter((key) => key.startsWith('n:') && !before.has(key));
    expect(added).toHaveLength(1);
    for (const key of added) {
      expect(await redis.get(key)).not.toContain(token);
      expect(await redis.ttl(key)).toBeLessThanOrEqual(absoluteSeconds);
      expect(await redis.ttl(key)).toBeGreaterThan(absoluteSeconds - 60);
    }
    expect(Buffer.from(token, 'base64url')).toHaveLength(16);
  });

  test('costs nobody the sign-in if it cannot be stored', async () => {
    const email = newAddress();
    const browser = newBrowser(app.url);
    await browser.post('/login', { form: { email } });
    const code = await mails.codeFor(email);
    // All keys but `n:…`.
    await redis.sendCommand(['ACL', 'SETUSER', 'default', 'resetkeys', '~[^n]*', '~n[^:]*']);
    try {
      expect((await browser.post('/login/code', { form: { code } })).status).toBe(303);
    } finally {
      await redis.sendCommand(['ACL', 'SETUSER', 'default', '~*']);
    }
    expect((await browser.get('/admin')).status).toBe(200);
    expect(app.logged().filter(({ msg }) => msg === 'notice of a new browser not sent')).toHaveLength(1);
  });
});

describe('GET /end-session', () => {
  test('shows a button and ends nothing, however often it is opened', async () => {
    const { browser, link } = await noticed();
    for (let times = 1; times <= 20; times += 1) {
      const { text } = await ask(app.url, times % 3 ? 'get' : 'head', link.pathname + link.search).expect(200);
      if (times % 3) expect(text).toMatch(/<form [^>]*method="post" action="\/end-session">[\s\S]*<button/);
    }
    expect((await browser.get('/admin')).status).toBe(200);
    expect((await press(link.searchParams.get('token') ?? '')).status).toBe(200);
  });

  test('names the browser and the time of its sign-in, for as long as it is signed in', async () => {
    const { browser, link } = await noticed();
    const open = async () => (await ask(app.url, 'get', link.pathname + link.search).expect(200)).text;
    const [, signedIn = '', words] =
      /Firefox on Linux<\/strong>, signed in <time datetime="([^"]+)">([^<]+)</.exec(await open()) ?? [];
    expect(Math.abs(Date.parse(signedIn) - Date.now())).toBeLessThan(60_000);
    expect(words).toBe(formatTime(Date.parse(signedIn)));
    await browser.post('/logout');
    expect(await open()).toMatch(/That session is over\.[\s\S]*<button/);
  });

  test.each(['', '?token=', '?token=nothing', '?token=a&token=b', `?token=${'A'.repeat(22)}`])(
    'says that a link is no longer good: %j',
    async (query) => {
      const { text } = await ask(app.url, 'get', `/end-session${query}`).set('Accept', 'text/html').expect(410);
      expect(text).toContain('This link has been used, or is too old.');
    },
  );
});

describe('POST /end-session', () => {
  test('ends exactly that session, on another instance, from any browser', async () => {
    const { email, browser } = await noticed();
    const second = await noticed({ email, count: 2 });
    const stranger = await noticed();
    const visit = await press(second.token);
    expect([visit.status, visit.text.includes('<h1>The session has been ended</h1>')]).toEqual([200, true]);
    expect((await second.browser.get('/admin')).status).toBe(401);
    expect((await second.browser.copy(otherInstance.url).get('/admin')).status).toBe(401);
    expect((await browser.get('/admin')).status).toBe(200);
    expect((await stranger.browser.get('/admin')).status).toBe(200);
    const session = handleOf(second.browser.sessionId);
    const line = otherInstance.logged().find(({ msg, session: ended }) => msg === 'session ended' && ended === session);
    expect(line).toMatchObject({ by: 'link' });
  });

  test('makes its browser new again: its next sign-in is told once more, and the one after is not', async () => {
    const { email, browser, token } = await noticed();
    const device = browser.cookies.get('device');
    await press(token);
    const notices = () =>
      mails.inbox.filter(({ to, mail }) => to.includes(email) && mail.subject?.startsWith('New sign-in')).length;
    await signInByCode(app, browser, email, { count: 2 });
    await mails.mailTo(email, 'notice', 2);
    expect(browser.cookies.get('device')?.slice(0, 22)).not.toBe(device?.slice(0, 22));
    await signInByCode(app, browser, email, { count: 3 });
    await signInByCode(app, newBrowser(app.url), email, { count: 4 });
    await mails.mailTo(email, 'notice', 3);
    expect(notices()).toBe(3);
  });

  test('makes its browser new for a code that was already on its way, too', async () => {
    const { email, browser, token } = await noticed();
    await browser.post('/login', { form: { email } });
    const code = await mails.codeFor(email, 2);
    await press(token);
    await browser.post('/login/code', { form: { code } });
    await mails.mailTo(email, 'notice', 2);
  });

  test('says so when that session had ended already, and logs nothing that did not happen', async () => {
    const { browser, token } = await noticed();
    const session = handleOf(browser.sessionId);
    await browser.post('/logout');
    for (const _press of ['first', 'second']) {
      const visit = await press(token);
      expect([visit.status, visit.text.includes('<h1>That session had already ended</h1>')]).toEqual([200, true]);
    }
    const lines = otherInstance.logged().filter(({ msg }) => msg === 'session ended');
    expect(lines.map(({ session }) => session)).not.toContain(session);
  });

  test('signs out the browser in which it is pressed, if the session is its own', async () => {
    const { browser, token } = await noticed();
    const visit = await browser.post('/end-session', { form: { token } });
    expect([visit.status, visit.text.includes('Log out')]).toEqual([200, false]);
    expect(browser.cookies.has('session')).toBe(false);
    expect((await browser.get('/admin')).status).toBe(401);
  });

  test('works once, and never on a later session of the same browser', async () => {
    const { email, browser, token } = await noticed();
    await press(token);
    await signInByCode(app, browser, email, { count: 2 });
    const again = await press(token);
    expect([again.status, again.text.includes('<h1>The session has been ended</h1>')]).toEqual([200, true]);
    expect((await browser.get('/admin')).status).toBe(200);
    expect(await redis.ttl(recordKey(token))).toBeLessThanOrEqual(30);
    await redis.del(recordKey(token));
    const late = await press(token);
    expect([late.status, late.text.includes('This link has been used, or is too old.')]).toEqual([410, true]);
    expect((await browser.get('/admin')).status).toBe(200);
  });

  test('ends the session once, when it is pressed 20 times at once, and tells every press that it is over', async () => {
    const { browser, token } = await noticed();
    const session = handleOf(browser.sessionId);
    const visits = await Promise.all(Array.from({ length: 20 }, () => press(token)));
    const headings = visits.map(({ text }) => /<h1>(.*)<\/h1>/.exec(text)?.[1]);
    expect(headings).toContain('The session has been ended');
    // What a press says that found it ended by another at the same moment.
    const either = ['The session has been ended', 'That session had already ended'];
    expect(headings.filter((heading = '') => !either.includes(heading))).toEqual([]);
    const ends = otherInstance.logged().filter(({ msg }) => msg === 'session ended');
    expect(ends.filter((line) => line.session === session)).toHaveLength(1);
  });

  test('ends the session or keeps the link: when Redis refuses, it can be pressed again (ASVS 16.5.3)', async () => {
    const { browser, token } = await noticed();
    await redis.sendCommand(['ACL', 'SETUSER', 'default', '-@scripting']);
    try {
      expect((await press(token)).status).toBe(503);
    } finally {
      await redis.sendCommand(['ACL', 'SETUSER', 'default', '+@scripting']);
    }
    expect((await browser.get('/admin')).status).toBe(200);
    expect((await press(token)).status).toBe(200);
    expect((await browser.get('/admin')).status).toBe(401);
  });

  test('is refused for forms on other sites (ASVS 3.5.1)', async () => {
    const { browser, token } = await noticed();
    await ask(app.url, 'post', '/end-session')
      .type('form')
      .set('Sec-Fetch-Site', 'cross-site')
      .send({ token })
      .expect(403);
    expect((await browser.get('/admin')).status).toBe(200);
  });

  test.each([[{}], [{ token: '' }], [{ token: ['a'] }], [{ token: null }], [{ token: { length: 22 } }]])(
    'ends nothing for %j',
    async (json) => {
      expect((await new Visitor(app.url).post('/end-session', { json })).status).toBe(410);
    },
  );
});

test('a visitor who is signed in is offered the list of sessions, whether the link is good or not', async () => {
  const { browser, link } = await noticed();
  const offers = ({ text }: { text: string }) => text.includes('<a class="button" href="/admin">See your sessions</a>');
  expect(offers(await browser.get(link.pathname + link.search))).toBe(true);
  expect(offers(await newBrowser(app.url).get(link.pathname + link.search))).toBe(false);
  const used = await browser.get('/end-session?token=used');
  expect(used.status).toBe(410);
  expect(used.text).toContain('<a class="button primary" href="/admin">See your sessions</a>');
  expect(used.text).toContain('You can see all of your sessions, and end any of them.');
  const signedOut = await newBrowser(app.url).get('/end-session?token=used');
  expect(signedOut.status).toBe(410);
  expect(signedOut.text).toContain('<a class="button primary" href="/login">Log in</a>');
  expect(signedOut.text).toContain('You can see all of your sessions, and end any of them, once you have logged in.');
});

// A feature sends such a link where a cookie seems to have been stolen.
test('a link for a stolen session leaves its browser known, and says what may have happened', async () => {
  const { browser, email } = await noticed();
  const links = new RevocationLinks(redis);
  const linked = { sessionId: browser.sessionId, deviceId: noDevice };
  const [token, late] = [
    await links.create(linked, Date.now() + 60_000),
    await links.create(linked, Date.now() + 60_000),
  ];
  expect((await press(token)).text).toContain('somebody has copied its cookie');
  expect((await browser.get('/admin')).status).toBe(401);
  expect(await redis.exists(`d:{${tagOf(email)}}${noDevice}`)).toBe(0);
  const { text } = await newBrowser(app.url).get(`/end-session?token=${late}`);
  expect(text).toContain('That session is over.');
  expect(text).not.toContain('make its browser log in as a new one');
});
