import { describe, expect, test } from 'vitest';
import { KnownBrowsers, newDeviceId } from '../../src/features/email-code/known-browsers.ts';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { RedisUnavailable } from '../../src/redis/deadline.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { connectNode, testSecret } from '../support/app.ts';
import { commandsFor } from '../support/commands.ts';
import { testRedis } from '../support/test-redis.ts';
import type { Visit, Visitor } from '../support/visitor.ts';
import {
  askForCode,
  counterKey,
  decided,
  enterCode,
  exhaust,
  newAddress,
  newBrowser,
  newIp,
  outcomes,
  signInByCode,
  startCodeApp,
} from './code-login.ts';

const redisAddress = await testRedis();
const app = await startCodeApp({ redisAddress });
const { url, mails } = app;

function deviceCookie({ setCookies }: Visit): string {
  const line = setCookies.find((candidate) => /^(__Host-)?device=/.test(candidate));
  if (line === undefined) throw new Error('no device cookie was set');
  return line;
}

/** The id by which a browser is known to an address. */
function knownId(browser: Visitor, email: string): string | undefined {
  return new KnownBrowsers(app.redis, [testSecret]).idIn(browser.cookies.get('device'), tagOf(email));
}

/** Somebody who has signed in, and out again: what is left of it is the device cookie. */
async function knownBrowser(email: string, at = app): Promise<Visitor> {
  const browser = newBrowser(at.url);
  await signInByCode(at, browser, email);
  await browser.post('/logout');
  expect([...browser.cookies.keys()]).toEqual(['device']);
  return browser;
}

describe('the device cookie', () => {
  test('comes with a sign-in, is HttpOnly and SameSite, and lasts as long as browsers allow (ASVS 3.3.2, 3.3.4)', async () => {
    const visit = await signInByCode(app, newBrowser(url), newAddress());
    const line = deviceCookie(visit);
    expect(line).toMatch(
      /^device=[\w-]{22}\.[\w-]{43}; Max-Age=34560000; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/,
    );
  });

  test('is __Host- and Secure on https (ASVS 3.3.1, 3.3.3)', async () => {
    const secure = await startCodeApp({ mails, env: { BASE_URL: 'https://login.example.com' } });
    const browser = newBrowser(secure.url, { 'X-Forwarded-Proto': 'https' });
    const visit = await signInByCode(secure, browser, newAddress());
    expect(deviceCookie(visit)).toMatch(
      /^__Host-device=[^;]+; Max-Age=\d+; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
    );
    expect([...browser.cookies.keys()].sort()).toEqual(['__Host-device', '__Host-session']);
    await askForCode(browser, newAddress());
    expect([...browser.cookies.keys()]).toContain('__Host-login');
  });

  test('is not set for visitors who only asked for a code, or guessed wrong', async () => {
    const browser = newBrowser(url);
    await askForCode(browser, newAddress());
    await browser.post('/login/code', { form: { code: '00000000' } });
    expect([...browser.cookies.keys()]).toEqual(['login']);
  });

  test('covers the last five addresses, and stays far below 4,096 bytes (ASVS 3.3.5)', async () => {
    const browser = newBrowser(url);
    const emails = Array.from({ length: 6 }, () => newAddress());
    let visit: Visit | undefined;
    for (const email of emails) visit = await signInByCode(app, browser, email);
    expect(visit && deviceCookie(visit).length).toBeLessThan(500);
    expect(browser.cookies.get('device')?.split('.')).toHaveLength(10);
    const [oldest = '', second = ''] = emails;
    for (const email of [oldest, second]) {
      await exhaust(app, email);
      await askForCode(browser.copy(), email);
    }
    expect(await outcomes(app, second, 7)).toEqual({ mailed: 6, withheld: 1 });
    expect(await outcomes(app, oldest, 7)).toEqual({ mailed: 5, withheld: 2 });
  });

  test('signs nobody in, and shows no session', async () => {
    const browser = await knownBrowser(newAddress());
    expect((await browser.get('/admin')).status).toBe(401);
    expect((await browser.get('/')).text).not.toContain('Hello');
    expect((await browser.post('/login/code', { form: { code: '00000000' } })).status).toBe(422);
  });
});

describe('a known browser (ASVS 6.1.1)', () => {
  test('has counters of its own, which are limited as well', async () => {
    const email = newAddress();
    const browser = await knownBrowser(email);
    await exhaust(app, email);
    const before = await outcomes(app, email, 6);
    const { points } = rateLimits.mailsPerDevice[0];
    for (let wishes = 1; wishes <= points + 2; wishes += 1) await askForCode(browser, email);
    const after = await outcomes(app, email, 6 + points + 2);
    expect(after.mailed - before.mailed).toBe(points);
  });

  test('gets no second set of counters by dropping the cookie between asking and entering the code', async () => {
    const email = newAddress();
    const browser = await knownBrowser(email);
    const [id] = browser.cookies.get('device')?.split('.') ?? [];
    await askForCode(browser, email);
    browser.cookies.delete('device');
    await enterCode(browser, await mails.codeFor(email, 2));
    expect(browser.cookies.get('device')?.split('.')[0]).toBe(id);
  });

  test('stays known when the secret is rotated', async () => {
    const email = newAddress();
    const browser = await knownBrowser(email);
    const old = browser.cookies.get('device');
    const secrets: [string, string] = ['a newer secret for the tests, of 32 characters', testSecret];
    const rotated = await startCodeApp({ mails, redisAddress, secrets });
    const there = browser.copy(rotated.url);
    await exhaust(app, email);
    await signInByCode(rotated, there, email, { count: 6 });
    expect(there.cookies.get('device')).not.toBe(old);
    expect(there.cookies.get('device')).toHaveLength(old?.length ?? 0);
  });
});

describe('a forged or foreign device cookie gains nothing (ASVS 6.1.1)', async () => {
  const email = newAddress();
  const own = (await knownBrowser(email)).cookies.get('device') ?? '';
  const foreign = (await knownBrowser(newAddress())).cookies.get('device') ?? '';
  await exhaust(app, email);

  test.each<[string, (own: string, foreign: string) => string]>([
    ['of another address', (_own, foreign) => foreign],
    ["with another browser's id", (own, foreign) => [foreign.split('.')[0], own.split('.')[1]].join('.')],
    ['with an id of its own making', (own) => `${'A'.repeat(22)}.${own.split('.')[1]}`],
    ['with a signature that was changed', (own) => own.slice(0, -2) + (own.endsWith('AA') ? 'BB' : 'AA')],
    ['without a signature', (own) => own.split('.')[0] ?? ''],
    ['with a signature that was cut', (own) => own.slice(0, -1)],
    ['with too many signatures', (own) => own + `.${'A'.repeat(43)}`.repeat(5)],
    ['with more behind it', (own) => `${own}x`],
    ['that is nothing of the kind', () => 'true'],
    ['that is empty', () => ''],
  ])('%s', async (_what, forge) => {
    const forger = newBrowser(url);
    forger.cookies.set('device', forge(own, foreign));
    const { mailed, withheld } = decided(app, email);
    await askForCode(forger, email);
    // The limit of strangers is used up, for the forger as well.
    expect(await outcomes(app, email, mailed + withheld + 1)).toEqual({ mailed, withheld: withheld + 1 });
  });

  test('while the genuine cookie still brings a code', async () => {
    const genuine = newBrowser(url);
    genuine.cookies.set('device', own);
    const { mailed, withheld } = decided(app, email);
    await askForCode(genuine, email);
    expect(await outcomes(app, email, mailed + withheld + 1)).toEqual({ mailed: mailed + 1, withheld });
  });
});

describe('two people who share a browser (ASVS 6.1.1)', () => {
  test('have counters of their own, so that neither can use up the other’s', async () => {
    const [ann, bob] = [newAddress(), newAddress()];
    const browser = await knownBrowser(ann);
    await signInByCode(app, browser, bob);
    const [, bobs] = [ann, bob].map((email) => knownId(browser, email));
    expect(bobs).not.toBe(knownId(browser, ann));
    const { points } = rateLimits.mailsPerDevice[0];
    for (let wishes = 1; wishes <= points + 2; wishes += 1) await askForCode(browser.copy(), bob);
    expect(await outcomes(app, bob, points + 3)).toEqual({ mailed: points + 1, withheld: 2 });
    await signInByCode(app, browser, ann, { count: 2 });
  });

  test('never get an id that a client chose', async () => {
    const chosen = 'B'.repeat(22);
    const browser = newBrowser(url);
    browser.cookies.set('device', `${chosen}.${'C'.repeat(43)}`);
    const email = newAddress();
    await signInByCode(app, browser, email);
    expect(knownId(browser, email)).toMatch(/^[\w-]{22}$/);
    expect(browser.cookies.get('device')?.startsWith(chosen)).toBe(false);
  });
});

describe('somebody with a leaked secret that is still listed', () => {
  const secret = testSecret;

  /** A browser that claims to be known to an address. */
  function forged(email: string, ip: string): Visitor {
    const browser = newBrowser(url, { 'X-Forwarded-For': ip });
    browser.cookies.set('device', forger.cookieWith(undefined, tagOf(email), newDeviceId()));
    return browser;
  }
  const forger = new KnownBrowsers(app.redis, [secret]);

  test('gets no more mails for an address than all of its known browsers together', async () => {
    const email = newAddress();
    const { points } = rateLimits.mailsPerAddressOfKnown[0];
    await Promise.all(Array.from({ length: points + 10 }, () => askForCode(forged(email, newIp()), email)));
    expect(await outcomes(app, email, points + 10)).toEqual({ mailed: points, withheld: 10 });
  });

  test('gets no more guesses at an address than all of its known browsers together', async () => {
    const email = newAddress();
    const { points } = rateLimits.guessesPerAddressOfKnown;
    const key = counterKey(email, `guess-known:${rateLimits.guessesPerAddressOfKnown.seconds}`);
    await app.redis.set(key, String(points - 1), { expiration: { type: 'EX', value: 60 } });
    const browser = forged(email, newIp());
    await askForCode(browser, email);
    const code = await mails.codeFor(email);
    await enterCode(browser, '00000000');
    expect((await enterCode(browser, code)).text).toContain('That is not the code.');
  });

  test.each(['asks', 'guesses'])(
    'is refused after so many %s from one client, whatever browsers it claims to be',
    async (what) => {
      const [ip, email] = [newIp(), newAddress()];
      const isAsk = what === 'asks';
      const [{ points, seconds }] = isAsk ? rateLimits.asksPerClientOfKnown : rateLimits.guessesPerClientOfKnown;
      const act = () => (isAsk ? askForCode(forged(email, ip), email) : enterCode(waiting.copy(), '00000000'));
      const waiting = forged(email, ip);
      if (!isAsk) await askForCode(waiting, email);
      for (let times = 1; times <= points; times += 10) await Promise.all(Array.from({ length: 10 }, act));
      const refused = await act();
      expect([refused.status, Number(refused.headers.get('Retry-After')) > seconds - 60]).toEqual([429, true]);
      expect((await askForCode(newBrowser(url, { 'X-Forwarded-For': ip }), newAddress())).status).toBe(303);
    },
  );

  test('becomes a stranger when the secret is replaced, like every browser, and all sessions end', async () => {
    const email = newAddress();
    const owner = newBrowser(url);
    await signInByCode(app, owner, email);
    const replaced = await startCodeApp({
      mails,
      redisAddress,
      secrets: ['a new secret for the tests, of 32 characters'],
    });
    const there = owner.copy(replaced.url);
    expect((await there.get('/admin')).status).toBe(401);
    await signInByCode(replaced, there, email, { count: 2 });
    await mails.mailTo(email, 'notice', 2);
    expect(there.cookies.get('device')?.slice(0, 22)).not.toBe(knownId(owner, email));
  });
});

test('a sign-in from a known browser gives its points back, so an office behind one address is not held up', async () => {
  const [ip, email] = [newIp(), newAddress()];
  const browser = newBrowser(url, { 'X-Forwarded-For': ip });
  await signInByCode(app, browser, email);
  for (const count of [2, 3]) {
    await signInByCode(app, browser, email, { count });
    const counters = await Promise.all(['ask', 'guess'].map((name) => app.redis.get(`l:${name}-known:600:{${ip}}`)));
    expect(counters).toEqual(['0', '0']);
  }
  // Strangers, who can make up any number of addresses, get nothing back.
  expect(await app.redis.get(`l:ask:600:{${ip}}`)).toBe('1');
});

test.each(['a hash', 'a version that is not known'])(
  'a mark with %s makes a browser new, and is no error',
  async (what) => {
    const email = newAddress();
    const browser = await knownBrowser(email);
    const key = `d:{${tagOf(email)}}${knownId(browser, email)}`;
    if (what === 'a hash') await app.redis.hSet(key, 'a', 'b');
    else await app.redis.set(key, '2');
    await signInByCode({ mails }, browser, email, { count: 2 });
    await mails.mailTo(email, 'notice', 2);
  },
);

describe('whether a browser is known', async () => {
  const redis = await connectNode(await testRedis());
  const known = new KnownBrowsers(redis, [testSecret]);

  test('is not asked of Redis without a cookie that is signed for the address', async () => {
    const [tag, other] = [tagOf(newAddress()), tagOf(newAddress())];
    for (const cookie of [undefined, 'x', known.cookieWith(undefined, other, newDeviceId())]) {
      const counts = await commandsFor(redis, async () => {
        const { candidate, isKnown } = known.lookUp(cookie, tag);
        expect([candidate, await isKnown]).toEqual([undefined, false]);
      });
      expect(counts).toEqual({});
    }
  });

  test('is denied of a new one until its notice is accepted, and again once it is forgotten', async () => {
    const [tag, id] = [tagOf(newAddress()), newDeviceId()];
    const { isKnown } = known.lookUp(known.cookieWith(undefined, tag, id), tag);
    expect(await isKnown).toBe(true);
    await known.awaitNotice(tag, id);
    expect(await known.isKnown(tag, id)).toBe(false);
    const days = (await redis.ttl(`d:{${tag}}${id}`)) / 86_400;
    expect(Math.ceil(days)).toBe(400);
    await known.confirm(tag, id);
    expect(await known.isKnown(tag, id)).toBe(true);
    await known.forget(tag, id);
    // A notice that was on its way does not bring it back.
    await known.confirm(tag, id);
    expect(await known.isKnown(tag, id)).toBe(false);
  });

  test('cannot be told while Redis refuses, and is denied where the key has another type', async () => {
    const [tag, id] = [tagOf(newAddress()), newDeviceId()];
    await redis.hSet(`d:{${tag}}${id}`, 'a', 'b');
    expect(await known.isKnown(tag, id)).toBe(false);
    await redis.sendCommand(['ACL', 'SETUSER', 'default', '-get']);
    try {
      await expect(known.isKnown(tag, id)).rejects.toThrow(RedisUnavailable);
    } finally {
      await redis.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
    }
  });
});
