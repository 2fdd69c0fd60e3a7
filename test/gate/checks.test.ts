import { describe, expect, test } from 'vitest';
import type { TestApp } from '../support/app.ts';
import { commandsFor, countKeys } from '../support/commands.ts';
import { testRedis } from '../support/test-redis.ts';
import { GateBrowser, login, navigation, proxyNames, reports, script, startGateApp, wiki } from './gate-app.ts';

const redisAddress = await testRedis();
const app = await startGateApp({ redisAddress });

async function enteredWiki(email = 'bob@example.com', form: Record<string, string> = {}): Promise<GateBrowser> {
  const browser = new GateBrowser(app);
  const { url, status } = await browser.openAs(email, `${wiki}/`, form);
  expect([url, status]).toEqual([`${wiki}/`, 204]);
  return browser;
}

describe.each(proxyNames)('a check by %s', (proxy) => {
  const passed = proxy === 'envoy' ? 200 : 204;
  const led = proxy === 'nginx' ? 401 : 303;

  test('lets whoever has opened the site pass, and says who it is', async () => {
    const browser = await enteredWiki();
    const answer = await browser.check(`${wiki}/page?x=%2F`, { proxy });
    expect(answer.status).toBe(passed);
    expect(answer.text).toBe('');
    expect(answer.headers).toMatchObject({
      'remote-email': 'bob@example.com',
      'remote-user': 'bob@example.com',
      'remote-assertion': expect.stringMatching(/^ey[\w-]+\.[\w-]+\.[\w-]+$/),
      'cache-control': 'no-store',
    });
    expect(answer.setCookies).toEqual([]);
  });

  test('asks Redis one thing, whatever the request brings, and none for a stranger', async () => {
    const browser = await enteredWiki();
    const headers = {
      ...script,
      'Content-Type': 'application/json',
      'Content-Length': '0',
      'Content-Encoding': 'gzip',
    };
    expect(await commandsFor(app.redis, () => browser.check(wiki, { proxy, headers }))).toEqual({ get: '1' });
    expect(await commandsFor(app.redis, () => new GateBrowser(app).check(wiki, { proxy }))).toEqual({});
  });

  test('leads a page load to the login, and tells all else 401', async () => {
    const stranger = new GateBrowser(app);
    const url = `${wiki}/a%20b?c=%26&d=e#f`.replace('#f', '');
    const answer = await stranger.check(url, { proxy, headers: navigation });
    expect(answer).toMatchObject({ status: led, location: `${wiki}/.latchkey/start?to=/a%2520b?c=%2526%26d=e` });
    // A browser without Fetch Metadata.
    expect(await stranger.check(url, { proxy, headers: { Accept: 'text/html,*/*;q=0.8' } })).toMatchObject({
      status: led,
    });

    const others = [
      script,
      { ...script, Accept: 'text/html' },
      { 'Sec-Fetch-Mode': 'websocket', Upgrade: 'websocket', Connection: 'Upgrade' },
      { Accept: 'text/event-stream' },
      { Accept: 'text/html', 'X-Requested-With': 'XMLHttpRequest' },
      {},
    ];
    for (const headers of others) {
      const refusal = await stranger.check(url, { proxy, headers });
      expect(refusal).toMatchObject({
        status: 401,
        location: undefined,
        text: 'Please login first.\n',
        setCookies: [],
      });
      expect(refusal.headers).not.toHaveProperty('remote-email');
    }
  });

  test('leads no frame away, since the login page may not be framed, and says what to do', async () => {
    const stranger = new GateBrowser(app);
    for (const destination of ['iframe', 'frame', 'object', 'embed', 'fencedframe']) {
      const headers = { ...navigation, 'Sec-Fetch-Dest': destination };
      const refusal = await stranger.check(`${wiki}/frame`, { proxy, headers });
      expect(refusal).toMatchObject({ status: 401, location: undefined });
      expect(refusal.text).toBe('Please login first. To do so, reload the whole page.\n');
      expect(refusal.headers['content-security-policy']).toContain("frame-ancestors 'self'");
      expect(refusal.headers['x-frame-options']).toBe('SAMEORIGIN');
    }
    // A page load that a service worker passes on.
    const headers = { ...navigation, 'Sec-Fetch-Dest': 'empty' };
    expect((await stranger.check(`${wiki}/page`, { proxy, headers })).location).toBeDefined();
  });

  test('refuses sites that are not listed, however they are written', async () => {
    const browser = await enteredWiki();
    for (const origin of ['https://evil.example', 'https://wiki.example.net:8443', 'https://login.example.com']) {
      const answer = await browser.check(`${origin}/`, { proxy, headers: { Cookie: cookieOf(browser, wiki) } });
      expect(answer).toMatchObject({ status: 403, location: undefined });
      expect(answer.headers).not.toHaveProperty('remote-email');
    }
  });
});

test('a site is the same one in upper case, and with its default port', async () => {
  const browser = await enteredWiki();
  const upper = { 'X-Original-URL': 'HTTPS://WIKI.Example.NET:443/' };
  expect(await browser.check(wiki, { headers: upper })).toMatchObject({ status: 204 });
});

test.each([
  ['X-Original-URL', ''],
  ['X-Original-URL', `${wiki}/, ${wiki}/`],
  ['X-Original-URL', 'http://wiki.example.net/'],
])('a check whose %s is "%s" is refused', async (name, value) => {
  const browser = await enteredWiki();
  expect(await browser.check(wiki, { headers: { [name]: value } })).toMatchObject({ status: 403 });
});

test.each([
  ['X-Forwarded-Host', 'wiki.example.net, reports.example.org:8443'],
  ['X-Forwarded-Host', 'wiki.example.net/'],
  ['X-Forwarded-Host', 'ann@wiki.example.net'],
  ['X-Forwarded-Proto', 'http'],
  ['X-Forwarded-Proto', 'https,https'],
  ['X-Forwarded-Proto', ''],
  ['X-Forwarded-Uri', '.evil.example/'],
  ['X-Forwarded-Uri', '*'],
])('a check whose %s is "%s" is refused', async (name, value) => {
  const browser = await enteredWiki();
  const answer = await browser.check(wiki, { proxy: 'forward', headers: { [name]: value } });
  expect(answer).toMatchObject({ status: 403 });
});

test('nobody but the proxy that TRUST_PROXY names is believed', async () => {
  const suspicious = await startGateApp({ redisAddress, env: { TRUST_PROXY: '192.0.2.1' } });
  for (const proxy of proxyNames) {
    const answer = await new GateBrowser(suspicious).check(wiki, { proxy, headers: navigation });
    expect(answer).toMatchObject({ status: 403, location: undefined });
  }
  const warnings = suspicious.logged().filter(({ msg }) => String(msg).includes('TRUST_PROXY does not name'));
  expect(warnings).toEqual([expect.objectContaining({ peer: '127.0.0.1' })]);
});

describe('the cookie of a site', () => {
  test('opens that site alone: no other, and not the login site', async () => {
    const browser = await enteredWiki('ann@example.com');
    const cookie = cookieOf(browser, wiki);
    for (const proxy of proxyNames) {
      expect(await browser.check(reports, { proxy, headers: { Cookie: cookie } })).toMatchObject({ status: 401 });
      expect(await browser.check(wiki, { proxy, headers: { Cookie: cookie } })).toMatchObject({
        headers: expect.objectContaining({ 'remote-email': 'ann@example.com' }),
      });
    }
    const value = cookie.split('=')[1] ?? '';
    const stolen = `__Host-session=${value}; session=${value}; __Host-session=s%3A${value}`;
    expect(await browser.visit(`${login}/admin`, { Cookie: stolen })).toMatchObject({ status: 401 });
  });

  test('is none of the login site, and the session cookie none of a site', async () => {
    const browser = await enteredWiki();
    const session = browser.cookies(login).get('__Host-session') ?? '';
    expect(session).not.toBe('');
    const tried = [session, decodeURIComponent(session), /^s:([^.]*)/.exec(decodeURIComponent(session))?.[1]];
    for (const value of tried) {
      const answer = await browser.check(wiki, { headers: { Cookie: `__Host-latchkey=${value}` } });
      expect(answer).toMatchObject({ status: 401 });
    }
  });

  test('is worth nothing once a character of it is changed, or it is cut', async () => {
    const browser = await enteredWiki();
    const value = browser.cookies(wiki).get('__Host-latchkey') ?? '';
    const changed = [0, 20, 40, 60, value.length - 2].map((position) => {
      const other = value[position] === 'A' ? 'B' : 'A';
      return value.slice(0, position) + other + value.slice(position + 1);
    });
    for (const forged of [...changed, value.slice(0, -8), value.slice(0, 20), '', 'x']) {
      const answer = await browser.check(wiki, { headers: { Cookie: `__Host-latchkey=${forged}` } });
      expect(answer).toMatchObject({ status: 401 });
    }
  });

  test('opens under a rotated secret for as long as the old one is listed', async () => {
    const [older, newer] = ['o'.repeat(40), 'n'.repeat(40)];
    const [before, rotated, after] = await Promise.all([
      startGateApp({ redisAddress, secrets: [older] }),
      startGateApp({ redisAddress, secrets: [newer, older] }),
      startGateApp({ redisAddress, secrets: [newer] }),
    ]);
    const browser = new GateBrowser(before);
    await browser.openAs('bob@example.com', `${wiki}/`);
    const headers = { Cookie: cookieOf(browser, wiki) };
    expect(await new GateBrowser(rotated).check(wiki, { headers })).toMatchObject({ status: 204 });
    expect(await new GateBrowser(after).check(wiki, { headers })).toMatchObject({ status: 401 });
  });
});

test('fifty checks of one page at once pass, write nothing, and set no cookie', async () => {
  const browser = await enteredWiki();
  const assets = Array.from({ length: 50 }, (_, index) => `${wiki}/asset-${index}.js`);
  let answers: Awaited<ReturnType<GateBrowser['check']>>[] = [];
  const commands = await commandsFor(app.redis, async () => {
    answers = await Promise.all(assets.map((url) => browser.check(url, { headers: script })));
  });
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]));
  expect(answers.flatMap(({ setCookies }) => setCookies)).toEqual([]);
  expect(commands).toEqual({ get: '50' });
  // One signature for all of them.
  expect(new Set(answers.map(({ headers }) => headers['remote-assertion'])).size).toBe(1);
});

test('checks leave no line in the log, and a stranger no key in Redis', async () => {
  const before = { lines: app.logged().length, keys: await countKeys(app.redis) };
  const stranger = new GateBrowser(app);
  for (const proxy of proxyNames) await stranger.check(`${wiki}/`, { proxy, headers: navigation });
  await stranger.visit(`${wiki}/.latchkey/start?to=/`);
  expect(await countKeys(app.redis)).toBe(before.keys);
  const lines = app.logged().slice(before.lines);
  expect(lines.filter(({ path }) => path !== '/.latchkey/start')).toEqual([]);
  expect(lines).toHaveLength(1); // feature: request-log
});

test('an address outside ASCII reaches the app in UTF-8', async () => {
  const browser = await enteredWiki('jürgen@example.com');
  const { headers } = await browser.check(wiki);
  expect(Buffer.from(headers['remote-email'] ?? '', 'latin1').toString()).toBe('jürgen@example.com');
});

describe('where the proxy replaces the Cookie header', () => {
  test.each([
    ['SITE', ''],
    ['a=1; SITE; b=2', 'a=1; b=2'],
    ['SITE; a=1;__Host-latchkey-start=x', 'a=1'],
    [
      'a=1; __Host-latchkey-start=x; SITE;b="2"; x__Host-latchkey=3; __Host-latchkeys=4',
      'a=1; b="2"; x__Host-latchkey=3; __Host-latchkeys=4',
    ],
  ])('an app gets of "%s" only "%s"', async (sent, left) => {
    const browser = await enteredWiki();
    const headers = { Cookie: sent.replace('SITE', cookieOf(browser, wiki)) };
    for (const proxy of ['forward', 'envoy'] as const) {
      expect((await browser.check(wiki, { proxy, headers })).headers.cookie).toBe(left);
    }
  });
});

function cookieOf(browser: GateBrowser, origin: string): string {
  return `__Host-latchkey=${browser.cookies(origin).get('__Host-latchkey')}`;
}

test('a number of proxies is warned of at start, since the gate then believes whoever asks it', async () => {
  const warnings = ({ logged }: TestApp) =>
    logged().filter(({ msg }) => String(msg).startsWith('TRUST_PROXY is a number'));
  expect(warnings(await startGateApp({ env: { TRUST_PROXY: '1' } }))).toMatchObject([{ level: 40 }]);
  expect(warnings(await startGateApp())).toEqual([]);
  expect(warnings(await startGateApp({ env: { TRUST_PROXY: '1', GATE_SITES: '' } }))).toEqual([]);
});
