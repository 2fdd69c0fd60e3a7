import { describe, expect, test, vi } from 'vitest';
import { tagOf } from '../../src/session/session-id.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { testRedis } from '../support/test-redis.ts';
import { GateBrowser, login, navigation, reports, startGateApp, wiki } from './gate-app.ts';

const redisAddress = await testRedis();
const app = await startGateApp({ redisAddress });

/** As far as the ticket: where the browser would go next. */
async function ticketFor(browser: GateBrowser, url: string): Promise<string> {
  const started = await browser.visit(`${new URL(url).origin}/.latchkey/start?to=/page`);
  const issued = await browser.visit(started.location ?? '');
  const enter = issued.location ?? '';
  expect(enter).toMatch(/\/\.latchkey\/enter\?ticket=[\w-]{22}&/);
  keepOutOfLogs(new URL(enter).searchParams.get('ticket') ?? '');
  return enter;
}

async function signedIn(email = 'ann@example.com'): Promise<GateBrowser> {
  const browser = new GateBrowser(app);
  await browser.post(`${login}/login`, { email });
  return browser;
}

describe('a visitor', () => {
  const deepLinks = [
    '/deep/link?q=a%20b&x=1%2B2&y=%26',
    '/caf%C3%A9/%D0%BF?%F0%9F%98%80=1&empty=',
    "/a%2Fb;c=d//e/?next=https://evil.example/&p=100%25&t=~!*()'$,:@",
    '/?discount=50%&set={a|b}^[c]\\`&end=%',
    `/long?q=${'%D0%BF'.repeat(332)}`,
    `/long?q=${'a&'.repeat(990)}`,
  ];

  test.each(deepLinks)('comes back to %s after logging in', async (path) => {
    const url = new URL(wiki + path).href;
    const browser = new GateBrowser(app);
    const { url: arrived, status, trail } = await browser.openAs('bob@example.com', url);
    expect(arrived).toBe(url);
    expect(status).toBe(204);
    for (const step of trail) expect(step.length).toBeLessThan(3600);
  });

  test('comes to the home page of the site by a link that is longer than 2,000 characters', async () => {
    const { url } = await new GateBrowser(app).openAs('bob@example.com', `${wiki}/?q=${'a'.repeat(2000)}`);
    expect(url).toBe(`${wiki}/`);
  });

  test('opens a second site without logging in again', async () => {
    const browser = new GateBrowser(app);
    await browser.openAs('ann@example.com', `${wiki}/`);
    const { url, status, headers, trail } = await browser.open(`${reports}/q3?x=1`);
    expect([url, status, headers['remote-email']]).toEqual([`${reports}/q3?x=1`, 204, 'ann@example.com']);
    expect(trail.map((step) => new URL(step).pathname)).not.toContain('/login');
  });

  test('who opens several pages at once comes to each of them', async () => {
    const browser = await signedIn('bob@example.com');
    const urls = ['/1', '/2', `/3?${'a'.repeat(1500)}`, '/4'].map((path) => wiki + path);
    const arrived = await Promise.all(urls.map((url) => browser.open(url)));
    expect(arrived.map(({ url }) => url)).toEqual(urls);
  });

  test('who left the login page open until the start was forgotten begins again without noticing', async () => {
    const browser = new GateBrowser(app);
    const { url } = await browser.open(`${wiki}/page`);
    browser.cookies(wiki).clear();
    await browser.post(`${login}/login`, { email: 'bob@example.com' });
    expect(await browser.open(login + new URL(url).searchParams.get('next'))).toMatchObject({
      url: `${wiki}/page`,
      status: 204,
    });
  });

  test('goes back to a ticket that is spent, or reloads it, without noticing', async () => {
    const browser = await signedIn();
    const enter = await ticketFor(browser, `${wiki}/page`);
    for (const time of ['first', 'again']) {
      expect(await browser.open(enter), time).toMatchObject({ url: `${wiki}/page`, status: 204 });
    }
  });

  test('whose browser keeps no cookies is told so, instead of going in circles', async () => {
    const browser = await signedIn();
    let here: string | undefined = `${wiki}/.latchkey/start?to=/page`;
    let answer = await browser.visit(here);
    for (let step = 0; step < 8 && answer.location !== undefined; step += 1) {
      browser.cookies(wiki).clear();
      here = answer.location;
      answer = await browser.visit(here);
    }
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('This browser did not keep a cookie');
    expect(answer.text).toContain(`href="${wiki}/.latchkey/start?to=/page"`);
  });

  test('whose browser keeps no cookies of the login site is told so there, instead of going in circles', async () => {
    const browser = new GateBrowser(app);
    const arrived = await browser.open(`${wiki}/page`);
    expect(new URL(arrived.url).pathname).toBe('/login');
    const next = new URL(arrived.url).searchParams.get('next') ?? '';
    const signedIn = await browser.post(`${login}/login`, { email: 'ann@example.com', next });
    const path = new URL(signedIn.location ?? '', login).href;
    browser.cookies(login).clear();
    const answer = await browser.visit(path);
    expect([answer.status, answer.location]).toEqual([400, undefined]);
    expect(answer.text).toContain('<h1>This browser did not keep a cookie.</h1>');
    expect(answer.text).toContain('Allow cookies for login.example.com, and try again.');
    const [, again = ''] = /href="(\/gate\?[^"]+)"/.exec(answer.text) ?? [];
    const retried = await browser.open(login + again.replaceAll('&amp;', '&'));
    expect(new URL(retried.url).pathname).toBe('/login');
    // A session that has ended in the meantime is another matter: there was a cookie.
    const ended = await browser.visit(path, { ...navigation, Cookie: '__Host-session=s%3Aended' });
    expect(ended).toMatchObject({ status: 303, location: expect.stringMatching(/^\/login\?next=/) });
  });

  test('who asked to be kept signed in keeps the site, too, until the session ends for good', async () => {
    const browser = new GateBrowser(app);
    await browser.openAs('ann@example.com', `${wiki}/`, { remember: 'on' });
    const enter = await browser.visit(await ticketFor(browser, `${reports}/`));
    const cookie = enter.setCookies.find((line) => line.startsWith('__Host-latchkey=')) ?? '';
    const expires = Date.parse(/Expires=([^;]+)/.exec(cookie)?.[1] ?? '');
    expect((expires - Date.now()) / 86_400_000).toBeCloseTo(30, 1);
  });
});

test('the cookies of a site have every attribute that protects them, and the start cookie goes', async () => {
  const browser = await signedIn();
  const started = await browser.visit(`${wiki}/.latchkey/start?to=/`);
  expect(started.setCookies).toEqual([
    expect.stringMatching(
      /^__Host-latchkey-start=[\w-]{22}; Max-Age=600; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
    ),
  ]);
  const entered = await browser.visit(await ticketFor(browser, `${wiki}/`));
  expect(entered.setCookies).toEqual([
    expect.stringMatching(
      /^__Host-latchkey-start=; Path=\/; .*Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure;/,
    ),
    expect.stringMatching(/^__Host-latchkey=[\w-]{86}; Path=\/; HttpOnly; Secure; SameSite=Lax$/),
  ]);
  for (const { headers } of [started, entered]) {
    expect(headers['cache-control']).toBe('no-store');
    // The login site's covers its subdomains, which a site's operator did not ask for.
    expect(headers).not.toHaveProperty('strict-transport-security');
  }
});

test('over http, in development, cookies go without the prefix', async () => {
  const env = { BASE_URL: 'http://localhost:3000', GATE_SITES: 'http://wiki.localhost:8080', NODE_ENV: 'development' };
  const local = await startGateApp({ redisAddress, env });
  const { setCookies } = await new GateBrowser(local).visit('http://wiki.localhost:8080/.latchkey/start?to=/');
  expect(setCookies).toEqual([
    expect.stringMatching(/^latchkey-start=[^;]+; Max-Age=600; Path=\/; [^;]+; HttpOnly; SameSite=Lax$/),
  ]);
});

describe('a ticket', () => {
  test('opens its site once, of a hundred tries at the same time', async () => {
    const browser = await signedIn();
    const enter = await ticketFor(browser, `${wiki}/`);
    const cookies = browser.cookies(wiki);
    const tries = await Promise.all(
      Array.from({ length: 100 }, () => {
        const copy = new GateBrowser(app);
        for (const [name, value] of cookies) copy.cookies(wiki).set(name, value);
        return copy.visit(enter);
      }),
    );
    const opened = tries.filter(({ setCookies }) => setCookies.some((line) => line.startsWith('__Host-latchkey=')));
    expect(opened).toHaveLength(1);
  });

  test.each([
    ['a browser that did not start', () => new GateBrowser(app)],
    [
      'a browser that started by itself',
      async () => {
        const other = new GateBrowser(app);
        await other.visit(`${wiki}/.latchkey/start?to=/`);
        return other;
      },
    ],
  ])('is worth nothing in %s, and is spent by the try', async (_name, otherBrowser) => {
    const attacker = await signedIn('attacker@example.com');
    const enter = await ticketFor(attacker, `${wiki}/`);
    const victim = await otherBrowser();
    const answer = await victim.visit(enter);
    expect(answer).toMatchObject({ status: 303, location: `${wiki}/.latchkey/start?to=/page&retry=1`, setCookies: [] });
    expect((await attacker.visit(enter)).setCookies).toEqual([]);
  });

  test('is worth nothing at another site', async () => {
    const browser = await signedIn();
    await browser.visit(`${reports}/.latchkey/start?to=/`);
    const enter = new URL(await ticketFor(browser, `${wiki}/`));
    // Even with the mark of the site that it was meant for.
    for (const [name, value] of browser.cookies(wiki)) browser.cookies(reports).set(name, value);
    expect((await browser.visit(`${reports}${enter.pathname}${enter.search}`)).setCookies).toEqual([]);
  });

  test('lasts a minute, and Redis holds neither it nor the mark', async () => {
    const browser = await signedIn();
    const enter = await ticketFor(browser, `${wiki}/`);
    const [key = ''] = await app.redis.keys('g:*');
    expect(await app.redis.ttl(key)).toBeGreaterThan(55);
    expect(await app.redis.ttl(key)).toBeLessThanOrEqual(60);
    const stored = key + (await app.redis.get(key));
    expect(stored).not.toContain(new URL(enter).searchParams.get('ticket'));
    expect(stored).not.toContain(browser.cookies(wiki).get('__Host-latchkey-start'));
    await app.redis.del(key);
    expect((await browser.visit(enter)).setCookies).toEqual([]);
  });

  test('is worth nothing once its session has ended', async () => {
    const browser = await signedIn();
    const enter = await ticketFor(browser, `${wiki}/`);
    await browser.post(`${login}/logout`);
    expect(await browser.visit(enter)).toMatchObject({ status: 303, setCookies: [] });
  });

  test.each(['', 'x', 'A'.repeat(22), '*'])('is refused when it is "%s"', async (ticket) => {
    const browser = await signedIn();
    await browser.visit(`${wiki}/.latchkey/start?to=/`);
    expect(await browser.visit(`${wiki}/.latchkey/enter?ticket=${ticket}&to=Lw`)).toMatchObject({
      status: 303,
      location: `${wiki}/.latchkey/start?to=/&retry=1`,
    });
  });
});

describe('a person who may not enter a site', () => {
  test('is told who they are, and can log in as somebody else there, who then enters', async () => {
    const browser = new GateBrowser(app);
    const refused = await browser.openAs('bob@example.com', `${reports}/q3`);
    expect(refused.status).toBe(403);
    expect(refused.text).toContain('You may not open reports.example.org:8443');
    expect(refused.text).toContain('bob@example.com');
    const next = /name="next" value="([^"]*)"/.exec(refused.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const { location } = await browser.post(`${login}/login`, { email: 'x@ops.example.com', next });
    expect(await browser.open(login + location)).toMatchObject({ url: `${reports}/q3`, status: 204 });
  });

  test('loses a site that they have opened once it is no longer theirs, and is not sent in circles', async () => {
    const browser = new GateBrowser(app);
    await browser.openAs('ann@example.com', `${reports}/`);
    const changed = await startGateApp({ redisAddress, env: { GATE_SITES: `${wiki}, ${reports} = zoe@example.com` } });
    const later = new GateBrowser(changed);
    for (const origin of [login, reports]) {
      for (const [name, value] of browser.cookies(origin)) later.cookies(origin).set(name, value);
    }
    const forward = await later.check(`${reports}/`, { proxy: 'forward', headers: navigation });
    expect(forward).toMatchObject({ status: 403, location: undefined });
    const href = `${login}/gate?site=${encodeURIComponent(reports)}`;
    // nginx asks for the page by itself.
    const shown = await later.visit(`${reports}/.latchkey/refused`);
    for (const { status, text } of [forward, shown]) {
      expect(status).toBe(403);
      expect(text).toContain('You are signed in as ann@example.com');
      expect(text).toContain(`href="${href}"`);
    }
    expect(await later.open(href)).toMatchObject({ url: href, status: 403 });
  });
});

test('a person who may enter a site is not told otherwise where the proxy itself refuses a page', async () => {
  const browser = new GateBrowser(app);
  await browser.openAs('ann@example.com', `${reports}/`);
  // nginx shows this for every 403 of its own, such as that of a directory without an index.
  const { status, text } = await browser.visit(`${reports}/.latchkey/refused`);
  expect(status).toBe(403);
  expect(text).toContain('<h1>This page may not be opened</h1>');
  expect(text).toContain(
    'You are signed in as ann@example.com, and may open reports.example.org:8443, but not this page.',
  );
  expect(text).toContain(`<a href="${reports}/">Open reports.example.org:8443</a>`);
});

test('a site that is not listed gets no ticket, and no redirect', async () => {
  const browser = await signedIn();
  const [mark] = (await browser.visit(`${wiki}/.latchkey/start?to=/`)).location?.match(/browser=[\w-]+/) ?? [];
  const origins = [
    ...['https://evil.example', `${wiki}.evil.example`, `${wiki}@evil.example`, 'http://wiki.example.net', ''],
    ...[`${wiki}/`, `${wiki}:443`, 'https://WIKI.example.net', 'javascript:alert(1)', '//evil.example', login],
  ];
  for (const origin of origins) {
    const answer = await browser.visit(`${login}/gate?${mark}&to=Lw&site=${encodeURIComponent(origin)}`);
    expect(answer, origin).toMatchObject({ status: 404, location: undefined });
  }
  const repeated = await browser.visit(`${login}/gate?${mark}&to=Lw&site=${wiki}&site=https://evil.example`);
  expect(repeated).toMatchObject({ status: 404, location: undefined });
});

test('the pages of sites exist on their hosts alone, and the login site on its own', async () => {
  const browser = await signedIn();
  for (const page of ['start?to=/', 'enter?ticket=x&to=Lw', 'logout', 'refused']) {
    expect(await browser.visit(`${login}/.latchkey/${page}`)).toMatchObject({ status: 404, setCookies: [] });
  }
  // feature: allowed-hosts
  const elsewhere = { Host: 'evil.example', 'X-Forwarded-Host': '' };
  expect(await browser.visit(`${wiki}/.latchkey/start`, elsewhere)).toMatchObject({ status: 421 });
  // end: allowed-hosts
  expect(await browser.post(`${wiki}/.latchkey/start`)).toMatchObject({ status: 405 });
});

describe('the login page on the way to a site', () => {
  const formAction = (headers: Record<string, string>) =>
    /form-action ([^;]*)/.exec(headers['content-security-policy'] ?? '')?.[1];

  test('lets its form lead on to that site alone, also when it is shown once more', async () => {
    const browser = new GateBrowser(app);
    const shown = await browser.open(`${reports}/`);
    expect(formAction(shown.headers)).toBe(`'self' ${reports}`);
    const next = new URL(shown.url).searchParams.get('next') ?? '';
    const again = await browser.post(`${login}/login`, { email: 'nobody', next }, { Accept: 'text/html' });
    expect(again.status).toBe(422);
    expect(formAction(again.headers)).toBe(`'self' ${reports}`);
  });

  // feature: form-recovery
  test('lets a form that failed be sent again with the same end, whatever failed', async () => {
    const failing = await startGateApp();
    const browser = new GateBrowser(failing);
    await browser.post(`${login}/login`, { email: 'ann@example.com' });
    await failing.redis.sendCommand(['SHUTDOWN', 'NOSAVE']).catch(() => {});
    const next = `/gate?site=${encodeURIComponent(reports)}`;
    const paths = ['/login'];
    paths.push('/login/code'); // feature: email-code
    for (const path of paths) {
      const { status, headers } = await browser.post(login + path, { next }, { Accept: 'text/html' });
      expect({ path, status, target: formAction(headers) }).toEqual({ path, status: 503, target: `'self' ${reports}` });
    }
  });
  // end: form-recovery

  test.each([
    '/login',
    '/login?next=/admin',
    '/login?next=/gate',
    '/login?next=/gate%3Fsite%3Dhttps%3A%2F%2Fevil.example',
    '/',
    '/gate?site=https://evil.example',
  ])('while that of %s leads nowhere else', async (path) => {
    expect(formAction((await new GateBrowser(app).visit(login + path)).headers)).toBe("'self'");
  });
});

describe('logging out', () => {
  async function opened(): Promise<GateBrowser> {
    const browser = new GateBrowser(app);
    await browser.openAs('ann@example.com', `${wiki}/`);
    await browser.open(`${reports}/`);
    return browser;
  }
  const isOpen = async (browser: GateBrowser, origin: string) => (await browser.check(`${origin}/`)).status === 204;
  const byLink = { ...navigation, 'Sec-Fetch-Site': 'same-origin' };

  test.each([
    ['by a link of a site', (browser: GateBrowser) => browser.visit(`${wiki}/.latchkey/logout`, byLink)],
    ['by a form of a site', (browser: GateBrowser) => browser.post(`${wiki}/.latchkey/logout`, {}, { Origin: wiki })],
    ['on the login site', (browser: GateBrowser) => browser.post(`${login}/logout`, {}, { Origin: login })],
  ])('%s closes every site at once, on every process', async (_where, logOut) => {
    const browser = await opened();
    const elsewhere = new GateBrowser(await startGateApp({ redisAddress }));
    for (const origin of [wiki, reports]) {
      for (const [name, value] of browser.cookies(origin)) elsewhere.cookies(origin).set(name, value);
    }
    expect(await isOpen(elsewhere, wiki)).toBe(true);
    expect(await logOut(browser)).toMatchObject({
      status: 303,
      location: expect.stringMatching(/^(?:https:\/\/login\.example\.com)?\/$/),
    });
    for (const origin of [wiki, reports]) {
      expect(await isOpen(browser, origin)).toBe(false);
      expect(await isOpen(elsewhere, origin)).toBe(false);
    }
    expect((await browser.visit(`${login}/admin`)).status).toBe(401);
  });

  test.each([
    { ...navigation, 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' },
    { ...byLink, 'Sec-Purpose': 'prefetch' },
  ])('is left to a button when the browser was made to: %o', async (headers) => {
    const browser = await opened();
    expect(await browser.visit(`${wiki}/.latchkey/logout`, headers)).toMatchObject({
      status: 303,
      location: `${login}/logout`,
    });
    expect(await isOpen(browser, wiki)).toBe(true);
  });

  test('is refused by a form of another site', async () => {
    const browser = await opened();
    expect(await browser.post(`${wiki}/.latchkey/logout`, {}, { 'Sec-Fetch-Site': 'cross-site' })).toMatchObject({
      status: 403,
    });
    expect(await isOpen(browser, wiki)).toBe(true);
  });

  test('without a session leads to the login site as well', async () => {
    expect(await new GateBrowser(app).visit(`${wiki}/.latchkey/logout`, byLink)).toMatchObject({
      status: 303,
      location: `${login}/`,
    });
  });
});

test('a new sign-in in the same browser ends the sites of the one before', async () => {
  const browser = new GateBrowser(app);
  await browser.openAs('ann@example.com', `${wiki}/`);
  const before = new Map(browser.cookies(wiki));
  await browser.post(`${login}/login`, { email: 'bob@example.com' });
  expect((await browser.check(`${wiki}/`)).status).toBe(401);
  expect((await browser.open(`${wiki}/`)).headers['remote-email']).toBe('bob@example.com');
  expect(browser.cookies(wiki)).not.toEqual(before);
});

describe('/admin', () => {
  test('shows which sites each session has opened, and its one more question is the only one', async () => {
    const [ann, other] = [new GateBrowser(app), new GateBrowser(app)];
    await ann.openAs('carol@example.com', `${wiki}/`);
    await other.post(`${login}/login`, { email: 'carol@example.com' });
    for (const browser of [ann, other]) {
      const { text } = await browser.visit(`${login}/admin`);
      const section = /<section[^>]*aria-labelledby="opened-sites">[\s\S]*?<\/section>/.exec(text)?.[0] ?? '';
      expect(section.match(/<li>/g)).toHaveLength(1);
      expect(section).toContain('href="https://wiki.example.net/"');
      expect(section.includes('This session')).toBe(browser === ann);
    }
    await ann.post(`${login}/logout`);
    expect((await other.visit(`${login}/admin`)).text).not.toContain('opened-sites');
  });

  test('is told no longer than a session can last', async () => {
    const browser = new GateBrowser(app);
    await browser.openAs('dave@example.com', `${wiki}/`);
    const [key = ''] = await app.redis.keys(`{${tagOf('dave@example.com')}}sites:*`);
    expect(await app.redis.ttl(key)).toBeLessThanOrEqual(8 * 3600);
    expect(await app.redis.ttl(key)).toBeGreaterThan(8 * 3600 - 60);
  });
});

test('using a site counts as using the session', async () => {
  const browser = new GateBrowser(app);
  await browser.openAs('erin@example.com', `${wiki}/`);
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    for (let minutes = 0; minutes < 60; minutes += 20) {
      vi.setSystemTime(Date.now() + 20 * 60_000);
      expect((await browser.check(`${wiki}/`)).status).toBe(204);
    }
    expect((await browser.visit(`${login}/admin`)).status).toBe(200);
    vi.setSystemTime(Date.now() + 31 * 60_000);
    expect((await browser.check(`${wiki}/`)).status).toBe(401);
  } finally {
    vi.useRealTimers();
  }
});
