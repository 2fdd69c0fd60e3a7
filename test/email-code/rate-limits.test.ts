import { describe, expect, test, vi } from 'vitest';
import { Challenges, triesPerCode } from '../../src/features/email-code/challenges.ts';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { clients } from '../support/client.ts';
import { monitored } from '../support/commands.ts';
import { testRedis } from '../support/test-redis.ts';
import type { Visit, Visitor } from '../support/visitor.ts';
import {
  askForCode,
  counterKey,
  enterCode,
  exhaust,
  newAddress,
  newBrowser,
  newIp,
  outcomes,
  signInByCode,
  startCodeApp,
  wrongCode,
} from './code-login.ts';

const app = await startCodeApp();
const { url, mails, redis } = app;
const [hourly, daily] = rateLimits.mailsPerAddress;

function from(ip: string, headers: Record<string, string> = {}): Visitor {
  return newBrowser(url, { 'X-Forwarded-For': ip, ...headers });
}

async function askOften(times: number, ip: () => string, email: string): Promise<Visit[]> {
  return Promise.all(Array.from({ length: times }, () => askForCode(from(ip()), email)));
}

function statuses(visits: Visit[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of visits) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe('a client over its own limits is told so (ASVS 6.1.1, 6.3.1)', () => {
  const [{ points, seconds }] = rateLimits.asksPerClient;

  test('by a 429 with Retry-After and a readable message, while others are served', async () => {
    const ip = newIp();
    const visits = await askOften(points + 2, () => ip, newAddress());
    expect(statuses(visits)).toEqual({ 303: points, 429: 2 });
    const refused = await askForCode(from(ip), newAddress());
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(seconds - 60);
    expect(Number(refused.headers.get('Retry-After'))).toBeLessThanOrEqual(seconds);
    expect(refused.text).toContain('Too many attempts. Please try again in 10 minutes.');
    expect(refused.setCookies).toEqual([]);
    expect((await askForCode(from(newIp()), newAddress())).status).toBe(303);

    const text = await askForCode(from(ip, clients.text), newAddress());
    expect([text.status, text.text]).toEqual([429, 'Too many attempts. Please try again in 10 minutes.\n']);
    const json = await askForCode(from(ip, clients.json), newAddress());
    expect([json.status, JSON.parse(json.text)]).toEqual([
      429,
      { error: 'Too many attempts. Please try again in 10 minutes.' },
    ]);
  });

  test('and a whole IPv6 /64 counts as one client (ASVS 6.3.1)', async () => {
    let host = 0;
    const anywhere = () => {
      host += 1;
      return `2001:db8:1:2:${host.toString(16)}::${host}`;
    };
    expect(statuses(await askOften(points + 2, anywhere, newAddress()))).toEqual({ 303: points, 429: 2 });
    expect((await askForCode(from('2001:db8:1:3::1'), newAddress())).status).toBe(303);
  });

  test('asking again counts as well, and guesses are counted separately', async () => {
    const browser = newBrowser(url);
    await askForCode(browser, newAddress());
    const again = await Promise.all(Array.from({ length: points }, () => browser.copy().post('/login/code/again')));
    expect(statuses(again)[429]).toBeGreaterThan(0);
    expect((await enterCode(browser, '00000000')).status).not.toBe(429);
  });

  test('guesses are limited over all codes of a client, and a refused one costs no try (ASVS 6.6.3)', async () => {
    const ip = newIp();
    for (let guesses = 0; guesses < rateLimits.guessesPerClient[0].points; guesses += triesPerCode) {
      const browser = from(ip);
      await askForCode(browser, newAddress());
      for (let tries = 1; tries <= triesPerCode; tries += 1) await enterCode(browser, '00000000');
    }
    const email = newAddress();
    const browser = from(ip);
    await askForCode(browser, email);
    const refused = await enterCode(browser, '00000000');
    expect([refused.status, Number(refused.headers.get('Retry-After')) > 0]).toEqual([429, true]);
    const elsewhere = { 'X-Forwarded-For': newIp() };
    expect((await enterCode(browser, await mails.codeFor(email), elsewhere)).status).toBe(303);
  });

  test('a forwarded address is believed only if it comes from a trusted proxy', async () => {
    const open = await startCodeApp({ mails, env: { TRUST_PROXY: '' } });
    const ask = () => askForCode(newBrowser(open.url), newAddress());
    expect(statuses(await Promise.all(Array.from({ length: points + 2 }, ask)))).toEqual({ 303: points, 429: 2 });
  });
});

describe('mail to an address', () => {
  test('is limited to five codes an hour, from wherever and however many at once', async () => {
    const email = newAddress();
    expect(statuses(await askOften(15, newIp, email))).toEqual({ 303: 15 });
    expect(await outcomes(app, email, 15)).toEqual({ mailed: 5, withheld: 10 });
    const left = await redis.ttl(counterKey(email, `mail:${hourly.seconds}`));
    expect(left).toBeLessThanOrEqual(hourly.seconds);
    expect(left).toBeGreaterThan(hourly.seconds - 60);
  });

  test('is not increased by asking again, which resets no counter (ASVS 6.6.3)', async () => {
    const email = newAddress();
    const browser = newBrowser(url);
    await askForCode(browser, email);
    for (let times = 1; times <= 9; times += 1) await browser.post('/login/code/again');
    expect(await outcomes(app, email, 10)).toEqual({ mailed: 5, withheld: 5 });
  });

  test('is limited to twenty codes a day, without those that the hourly limit withheld', async () => {
    const email = newAddress();
    for (let hours = 1; hours <= 5; hours += 1) {
      await askOften(6, newIp, email);
      await outcomes(app, email, 6 * hours);
      // The hour is over.
      await redis.del(counterKey(email, `mail:${hourly.seconds}`));
    }
    expect(await outcomes(app, email, 30)).toEqual({ mailed: 20, withheld: 10 });
    const left = await redis.ttl(counterKey(email, `mail:${daily.seconds}`));
    expect(left).toBeGreaterThan(daily.seconds - 60);
    expect(left).toBeLessThanOrEqual(daily.seconds);
  });

  test('beyond the limit leaves a code that cannot be guessed: even the right one is wrong (ASVS 6.6.3)', async () => {
    const email = newAddress();
    await exhaust(app, email);
    // The one way to see a code that is not mailed.
    const asks = vi.spyOn(Challenges.prototype, 'ask');
    const browser = newBrowser(url);
    await askForCode(browser, email);
    const [made] = asks.mock.lastCall ?? [];
    asks.mockRestore();
    expect(made?.id).toBe(browser.cookies.get('login'));
    expect((await enterCode(browser, made?.code ?? '')).text).toContain('That is not the code.');
  });
});

describe('guesses at an address, over all its codes (ASVS 6.6.3; NIST SP 800-63B-4, 3.2.2)', () => {
  const { points: most } = rateLimits.guessesPerAddress;

  /** Uses up guesses in one browser, with a new code for every five. */
  async function guessWrongly(browser: Visitor, email: string, times: number): Promise<void> {
    for (let guesses = 0; guesses < times; guesses += 1) {
      if (guesses % triesPerCode === 0) {
        await redis.del(counterKey(email, `mail:${hourly.seconds}`));
        await askForCode(browser, email);
      }
      await enterCode(browser, `0000000${guesses % triesPerCode}`, { 'X-Forwarded-For': newIp() });
    }
  }

  test('are limited to forty a day in unknown browsers, however many codes are asked for', async () => {
    const email = newAddress();
    const known = newBrowser(url);
    await signInByCode(app, known, email);
    // One was right, and counts.
    await guessWrongly(newBrowser(url), email, most - 2);
    const last = newBrowser(url);
    let codes = 1 + Math.ceil((most - 2) / triesPerCode);
    const askAnew = async (browser: Visitor) => {
      await redis.del(counterKey(email, `mail:${hourly.seconds}`));
      await askForCode(browser, email);
      codes += 1;
      return mails.codeFor(email, codes);
    };
    const code = await askAnew(last);
    expect((await enterCode(last, wrongCode(code))).text).toContain('That is not the code.');
    const said = await enterCode(last, code);
    // As of any code that is withheld: that others entered some is not for this browser to know (ASVS 6.3.8).
    expect([
      said.status,
      said.text.includes(
        'That is not the code. If you got several mails, use the newest one. You have three tries left.',
      ),
    ]).toEqual([422, true]);
    // What could not be used is not mailed either.
    await redis.del(counterKey(email, `mail:${hourly.seconds}`));
    await askForCode(newBrowser(url), email);
    expect(await outcomes(app, email, codes + 1)).toEqual({ mailed: codes, withheld: 1 });
    const left = await redis.ttl(counterKey(email, 'guess:86400'));
    expect(left).toBeGreaterThan(daily.seconds - 60);

    const own = await askAnew(known);
    expect((await enterCode(known, wrongCode(own))).text).toContain('You have four tries left.');
    expect((await enterCode(known, own)).status).toBe(303);
  });

  test('are limited to forty a day in a known browser as well', async () => {
    const email = newAddress();
    const known = newBrowser(url);
    await signInByCode(app, known, email);
    for (let guesses = 0; guesses < most; guesses += 1) {
      if (guesses % triesPerCode === 0) await askForCode(known, email);
      await enterCode(known, `0000000${guesses % triesPerCode}`);
    }
    const [id] = known.cookies.get('device')?.split('.') ?? [];
    expect(await redis.get(counterKey(email, `guess:${id}:${daily.seconds}`))).toBe(String(most));
    await askForCode(known, email);
    expect((await enterCode(known, '00000000')).text).toContain(
      'That is not the code. If you got several mails, use the newest one. You have four tries left.',
    );
    const reasons = app
      .logged()
      .filter(({ reason, person }) => reason === 'enough guesses for now' && person === tagOf(email));
    expect(reasons.map(({ msg }) => msg)).toEqual(['code withheld', 'sign-in refused']);
  });
});

describe('a stranger who floods an address from everywhere (ASVS 6.1.1, 6.3.1)', () => {
  test('does not lock its owner out of a browser they have used before', async () => {
    const email = newAddress();
    const owner = newBrowser(url);
    await signInByCode(app, owner, email);
    await owner.post('/logout');

    // Together they guess more often than an address allows in a day.
    const strangers = Array.from({ length: 10 }, () => newBrowser(url));
    await Promise.all(strangers.map((stranger) => askForCode(stranger, email)));
    for (let tries = 1; tries <= triesPerCode; tries += 1) {
      const guesses = await Promise.all(strangers.map((stranger) => enterCode(stranger.copy(), `0000000${tries}`)));
      expect(statuses(guesses)).toEqual({ 422: strangers.length });
    }
    const guessed = await redis.get(counterKey(email, `guess:${daily.seconds}`));
    expect(Number(guessed)).toBeGreaterThanOrEqual(rateLimits.guessesPerAddress.points);
    const before = await outcomes(app, email, 11);
    expect(before).toEqual({ mailed: 5, withheld: 6 });

    await signInByCode(app, owner, email, { count: before.mailed + 1 });
    expect((await owner.get('/admin')).text).toContain(`Hello ${email}`);
  });

  test('behind the same router does not use up the owner’s limits (ASVS 6.1.1)', async () => {
    const email = newAddress();
    const ip = newIp();
    const owner = from(ip);
    await signInByCode(app, owner, email);
    const [{ points }] = rateLimits.asksPerClient;
    expect(statuses(await askOften(points + 5, () => ip, newAddress()))[429]).toBeGreaterThan(0);
    const stranger = newBrowser(url);
    await askForCode(stranger, newAddress());
    const guess = () => enterCode(stranger.copy(), '00000000', { 'X-Forwarded-For': ip });
    const guesses = await Promise.all(Array.from({ length: rateLimits.guessesPerClient[0].points + 1 }, guess));
    expect(statuses(guesses)[429]).toBeGreaterThan(0);
    await signInByCode(app, owner, email, { count: 2 });
  });

  test('does not affect the code that its owner has been sent', async () => {
    const email = newAddress();
    const owner = newBrowser(url);
    await askForCode(owner, email);
    const code = await mails.codeFor(email);
    await askOften(10, newIp, email);
    await outcomes(app, email, 11);
    expect((await enterCode(owner, code)).status).toBe(303);
  });
});

describe('all mail together', () => {
  const env = { MAILS_PER_HOUR: '4', ALLOWED_EMAILS: '@example.com' };

  test('is limited, except for known browsers, and unlisted addresses use up nothing', async () => {
    const small = await startCodeApp({ mails, env });
    const ask = (email: string) => askForCode(newBrowser(small.url), email);
    const owner = newAddress();
    const known = newBrowser(small.url);
    await signInByCode(small, known, owner);
    for (let times = 1; times <= 10; times += 1) await ask(newAddress('example.org'));
    for (let times = 2; times <= 5; times += 1) await askForCode(known, owner);
    expect(await outcomes(small, owner, 5)).toEqual({ mailed: 5, withheld: 0 });

    for (let times = 2; times <= 4; times += 1) {
      const email = newAddress();
      await ask(email);
      expect(await outcomes(small, email, 1)).toEqual({ mailed: 1, withheld: 0 });
    }
    const late = newAddress();
    await ask(late);
    expect(await outcomes(small, late, 1)).toEqual({ mailed: 0, withheld: 1 });
    await askForCode(known, owner);
    expect(await outcomes(small, owner, 6)).toEqual({ mailed: 6, withheld: 0 });
  });

  test('does not use up the limit of an address whose mail it withholds, and tells the operator', async () => {
    const small = await startCodeApp({ mails, env: { ...env, MAILS_PER_HOUR: '1' } });
    await askForCode(newBrowser(small.url), newAddress());
    const email = newAddress();
    for (let times = 1; times <= 10; times += 1) await askForCode(newBrowser(small.url), email);
    expect(await outcomes(small, email, 10)).toEqual({ mailed: 0, withheld: 10 });
    const told = small.logged().filter(({ msg, reason }) => msg === 'code withheld' && reason === 'MAILS_PER_HOUR');
    expect(told.map(({ level }) => level)).toEqual(Array.from({ length: 10 }, () => 50));
    // The hour is over.
    await small.redis.del(`l:{all-mail}${hourly.seconds}`);
    await askForCode(newBrowser(small.url), email);
    expect(await outcomes(small, email, 11)).toEqual({ mailed: 1, withheld: 10 });
  });

  test('is not used up by refused clients, nor by a form that is sent twice', async () => {
    const small = await startCodeApp({ mails, env: { ...env, MAILS_PER_HOUR: '2' } });
    const ip = newIp();
    await small.redis.set(`l:ask:600:{${ip}}`, '30', { expiration: { type: 'EX', value: 600 } });
    for (let times = 1; times <= 5; times += 1) {
      expect((await askForCode(newBrowser(small.url, { 'X-Forwarded-For': ip }), newAddress())).status).toBe(429);
    }
    const [email, browser] = [newAddress(), newBrowser(small.url)];
    for (let times = 1; times <= 5; times += 1) await askForCode(browser.copy(), email, { form: 'A'.repeat(16) });
    expect(await small.redis.get(`l:{all-mail}${hourly.seconds}`)).toBe('1');
    await mails.codeFor(email);
  });

  test('is not even taken for a moment by a client that goes on asking after it was refused', async () => {
    const small = await startCodeApp({ mails, env });
    const [network, ip] = ['2001:db8:aa', newIp()];
    const ask = (from: string) => askForCode(newBrowser(small.url, { 'X-Forwarded-For': from }), newAddress());
    await small.redis.set(`l:ask:600:{${ip}}`, '30', { expiration: { type: 'EX', value: 600 } });
    await small.redis.set(`l:ask:600:{${network}}`, '120', { expiration: { type: 'EX', value: 600 } });
    for (const first of [ip, `${network}::1`]) expect((await ask(first)).status).toBe(429);
    const others = Array.from({ length: 20 }, (_, index) => `${network}:${index}::1`);
    const lines = await monitored(small.redis, async () => {
      const answers = await Promise.all([...others, ...others.map(() => ip)].map(ask));
      expect(statuses(answers)).toEqual({ 429: 40 });
    });
    expect(lines.filter((line) => line.includes('{all-mail}'))).toEqual([]);
    // It may ask again as soon as its limit lets it.
    await small.redis.del(`l:ask:600:{${ip}}`);
    expect((await ask(ip)).status).toBe(303);
    expect(await small.redis.get(`l:{all-mail}${hourly.seconds}`)).toBe('1');
  });

  test('is counted for all processes together', async () => {
    const shared = { mails, env: { ...env, MAILS_PER_HOUR: '1' }, redisAddress: await testRedis() };
    const [one, two] = [await startCodeApp(shared), await startCodeApp(shared)];
    const [first, second] = [newAddress(), newAddress()];
    await askForCode(newBrowser(one.url), first);
    expect(await outcomes(one, first, 1)).toEqual({ mailed: 1, withheld: 0 });
    await askForCode(newBrowser(two.url), second);
    expect(await outcomes(two, second, 1)).toEqual({ mailed: 0, withheld: 1 });
  });
});
