import { describe, expect, test } from 'vitest';
import { Challenges, codeSeconds, triesPerCode } from '../../src/features/email-code/challenges.ts';
import { codeDigits, newCode } from '../../src/features/email-code/code.ts';
import { guessCosts, mailCosts, rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { repeatSeconds } from '../../src/features/repeated-forms/repeated-forms.ts';
import { RedisUnavailable } from '../../src/redis/deadline.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { startApp, testSecret } from '../support/app.ts';
import { commandsFor } from '../support/commands.ts';
import { newAddress, wrongCode } from './code-login.ts';

const { redis } = await startApp();
const challenges = new Challenges(redis, [testSecret]);
const over = { outcome: 'over' };
const deviceId = 'A'.repeat(22);

type Asking = { email?: string; isAllowed?: boolean; previousId?: string; seed?: string; remember?: boolean };

/** Asks for a code, by default for an address of its own. */
async function ask(options: Asking = {}) {
  const { isAllowed = true, previousId, seed, remember = true } = options;
  const email = address(options.email ?? newAddress());
  const [id, code] = [challenges.idFor(email, seed), newCode()];
  const counters = mailCosts(tagOf(email), undefined);
  const challenge = { id, code, email, remember, deviceId: undefined };
  const asked = await challenges.ask(challenge, { previousId, isAllowed, counters });
  return { id, code, email, asked };
}

async function enter(id: string, code: string, by = challenges) {
  const challenge = (await by.find(id)) ?? { id, salt: '' };
  return by.enter(challenge, code, { deviceId, isNewDevice: true, counters: guessCosts(id.slice(0, 14), undefined) });
}

function keyOf(id: string): string {
  return `c:{${id.slice(0, 14)}}${id.slice(14)}`;
}

/** Changes a field of a record, by its position. */
async function change(id: string, position: number, value: string): Promise<void> {
  const fields = (await redis.get(keyOf(id)))?.split(' ') ?? [];
  fields[position] = value;
  await redis.set(keyOf(id), fields.join(' '), { expiration: 'KEEPTTL' });
}

/** The same sign-in, as it is after so many seconds. */
async function age(id: string, seconds: number): Promise<void> {
  const until = Number((await redis.get(keyOf(id)))?.split(' ')[8]);
  await change(id, 8, String(until - seconds * 1000));
  await redis.pExpire(keyOf(id), (await redis.pTTL(keyOf(id))) - seconds * 1000);
}

function wrong(triesLeft: number) {
  return { outcome: 'wrong', triesLeft, isRefused: false };
}

describe('a code', () => {
  test('is of at least 20 bits (ASVS 6.5.4), and lasts ten minutes at most (ASVS 6.5.5)', async () => {
    expect(Math.log2(10 ** codeDigits)).toBeGreaterThan(20);
    expect(codeSeconds).toBeLessThanOrEqual(600);
    const { id } = await ask();
    const left = await redis.pTTL(keyOf(id));
    expect(left).toBeGreaterThan(codeSeconds * 1000 - 5000);
    expect(left).toBeLessThanOrEqual(codeSeconds * 1000);
    await redis.pExpire(keyOf(id), 60_000);
    await enter(id, '00000000');
    expect(await redis.pTTL(keyOf(id))).toBeGreaterThan(50_000);
    expect(await redis.pTTL(keyOf(id))).toBeLessThanOrEqual(60_000);
  });

  test('comes from a CSPRNG, every digit as likely in every place (ASVS 6.5.3)', () => {
    const predictable = Math.random;
    Math.random = () => 0.5;
    const codes = Array.from({ length: 2000 }, newCode);
    Math.random = predictable;
    // One equal pair comes up in one of fifty runs, four in less than one of a million.
    expect(new Set(codes).size).toBeGreaterThan(1996);
    for (let place = 0; place < codeDigits; place += 1) {
      for (const digit of '0123456789') {
        const count = codes.filter((code) => code[place] === digit).length;
        // Of 2,000 about 200, give or take 13.4; six times that is beyond chance.
        expect(Math.abs(count - 200), `${digit} at ${place}: ${count}`).toBeLessThan(81);
      }
    }
  });

  test('brings back what was asked for', async () => {
    const { id, code, email } = await ask({ remember: true });
    expect(await challenges.find(id)).toMatchObject({ id, email, remember: true, state: 'waiting' });
    const sessionId = expect.stringContaining(tagOf(email));
    expect(await enter(id, code)).toEqual({ outcome: 'right', email, remember: true, deviceId, sessionId });
    expect(await challenges.find(id)).toMatchObject({ state: 'used' });
    const brief = await ask({ remember: false });
    expect((await challenges.find(brief.id))?.remember).toBe(false);
    expect(await enter(brief.id, brief.code)).toMatchObject({ outcome: 'right', remember: false });
  });

  test('has five tries, and looking is none', async () => {
    const { id, code } = await ask();
    for (let tries = 1; tries < triesPerCode; tries += 1) {
      await challenges.find(id);
      expect(await enter(id, wrongCode(code, tries))).toEqual(wrong(triesPerCode - tries));
    }
    expect(await enter(id, wrongCode(code))).toEqual(over);
    expect(await enter(id, code)).toEqual(over);
    expect(await redis.exists(keyOf(id))).toBe(0);
  });

  // Else asking again and again would buy any number of guesses (NIST 800-63B, 3.2.2).
  test('that is not mailed cannot be guessed: even the right one is wrong (ASVS 6.6.3)', async () => {
    const { id, code, asked } = await ask({ isAllowed: false });
    expect(asked).toMatchObject({ isMailed: false });
    for (let tries = 1; tries < triesPerCode; tries += 1) {
      expect(await enter(id, tries % 2 ? code : wrongCode(code))).toEqual(wrong(triesPerCode - tries));
    }
    expect(await enter(id, code)).toEqual(over);
    // What is stored in its place looks the same.
    const [withheld, mailed] = await Promise.all(
      [await ask({ isAllowed: false }), await ask()].map(({ id }) => redis.get(keyOf(id))),
    );
    expect(withheld).toHaveLength(mailed?.length ?? 0);
  });

  test('that is wrong and sent again costs neither a try nor a guess, whether one was mailed or not', async () => {
    const [mailed, withheld] = [await ask(), await ask({ isAllowed: false })];
    const entered = [
      [mailed, wrongCode(mailed.code)],
      [withheld, withheld.code],
    ] as const;
    const commands: Record<string, string>[] = [];
    for (const [{ id, email }, code] of entered) {
      await enter(id, code);
      commands.push(await commandsFor(redis, async () => expect(await enter(id, code)).toEqual(wrong(4))));
      const [{ key } = { key: '' }] = guessCosts(tagOf(address(email)), undefined);
      expect(await redis.get(key)).toBe('1');
    }
    expect(commands[0]).toEqual(commands[1]);
  });

  test('works for the sign-in it was made for, and for no other (ASVS 6.6.2)', async () => {
    const email = newAddress();
    const [mine, other] = [await ask({ email }), await ask({ email })];
    expect(await enter(other.id, mine.code)).toMatchObject({ outcome: 'wrong' });
    expect(await enter('nothing', mine.code)).toEqual(over);
  });

  test('replaces the one before it in the same browser', async () => {
    const { id: previousId, code, email } = await ask();
    const next = await ask({ email, previousId });
    expect(await enter(previousId, code)).toEqual(over);
    expect(await enter(next.id, code)).toMatchObject({ outcome: 'wrong' });
    expect(await enter(next.id, next.code)).toMatchObject({ outcome: 'right' });
  });

  test('expires by the clock of Redis, not that of the process (ASVS 6.5.5)', async () => {
    const { id, code, email } = await ask();
    // Asking again, without a new mail, keeps the record beyond the life of the code.
    await age(id, codeSeconds - 1);
    const again = await ask({ email, isAllowed: false, previousId: id });
    await change(again.id, 8, String(Date.now() - 1));
    expect(await enter(again.id, code)).toEqual(wrong(4));
  });

  test('survives a rotation of the secret while the older one is still listed', async () => {
    const newSecret = 'a newer secret for the tests, of 32 characters';
    const { id, code } = await ask();
    expect(await enter(id, code, new Challenges(redis, [newSecret, testSecret]))).toMatchObject({ outcome: 'right' });
    const second = await ask();
    expect(await enter(second.id, second.code, new Challenges(redis, [newSecret]))).toMatchObject({ outcome: 'wrong' });
  });

  test('fails closed when Redis refuses (ASVS 16.5.3)', async () => {
    const { id, code } = await ask();
    await redis.sendCommand(['ACL', 'SETUSER', 'default', '-@scripting']);
    try {
      await expect(enter(id, code)).rejects.toThrow(RedisUnavailable);
      await expect(ask()).rejects.toThrow(RedisUnavailable);
    } finally {
      await redis.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
    }
    expect(await enter(id, code)).toMatchObject({ outcome: 'right' });
  });
});

test('what can be no id is not looked up', async () => {
  for (const id of ['', 'nothing', '*', 'A'.repeat(35), 'A'.repeat(37)]) {
    expect(await commandsFor(redis, () => challenges.find(id))).toEqual({});
  }
});

test('a right code is wrong once an address is out of guesses, which the caller is told', async () => {
  const { id, code, email } = await ask();
  const [{ key, points, seconds } = { key: '', points: 0, seconds: 0 }] = guessCosts(tagOf(email), undefined);
  await redis.set(key, String(points), { expiration: { type: 'EX', value: seconds } });
  expect(await enter(id, code)).toEqual({ outcome: 'wrong', triesLeft: triesPerCode - 1, isRefused: true });
  // It is not taken for a wrong one that is sent again.
  await redis.del(key);
  expect(await enter(id, code)).toMatchObject({ outcome: 'right' });
});

describe('a code for which the requested successor is withheld', () => {
  const askAgain = (previous: { id: string; email: string }, email = previous.email) =>
    ask({ email, isAllowed: false, previousId: previous.id });

  test('stays good: an impatient visitor does not lose the one that arrived', async () => {
    const first = await ask();
    const again = await askAgain(await askAgain(first));
    expect(await enter(first.id, first.code)).toEqual(over);
    expect(await enter(again.id, again.code)).toEqual(wrong(4));
    expect(await enter(again.id, first.code)).toMatchObject({ outcome: 'right' });
  });

  test('has no more tries than it had, which does not show (ASVS 6.6.3)', async () => {
    const first = await ask();
    for (const tries of [1, 2, 3]) await enter(first.id, wrongCode(first.code, tries));
    const again = await askAgain(first);
    expect(await enter(again.id, wrongCode(first.code))).toEqual(wrong(4));
    const last = await askAgain(again);
    expect(await enter(last.id, wrongCode(first.code))).toEqual(wrong(4));
    expect(await enter(last.id, first.code)).toEqual(wrong(3));
  });

  test('lasts no longer (ASVS 6.5.5)', async () => {
    const first = await ask();
    await age(first.id, codeSeconds - 5);
    const again = await askAgain(first);
    const until = Number((await redis.get(keyOf(again.id)))?.split(' ')[8]);
    expect(until - Date.now()).toBeLessThanOrEqual(5000);
    expect(await enter(again.id, first.code)).toMatchObject({ outcome: 'right' });
  });

  test('is carried over once, by however many requests at once (ASVS 6.5.1, 6.6.3)', async () => {
    const first = await ask();
    const wishes = await Promise.all(Array.from({ length: 20 }, () => askAgain(first)));
    const attempts = await Promise.all(wishes.map((wish) => enter(wish.id, first.code)));
    expect(attempts.filter(({ outcome }) => outcome === 'right')).toHaveLength(1);
  });

  test('does not work for another address', async () => {
    const first = await ask();
    const other = await askAgain(first, newAddress());
    expect(await enter(other.id, first.code)).toMatchObject({ outcome: 'wrong' });
  });
});

describe('the same form, sent again', () => {
  test('starts one sign-in with one mail, however many copies come at once', async () => {
    const email = newAddress();
    const wishes = await Promise.all(Array.from({ length: 20 }, () => ask({ email, seed: 'form' })));
    expect(new Set(wishes.map(({ id }) => id)).size).toBe(1);
    const mailed = wishes.filter(({ asked }) => asked.outcome === 'asked');
    expect(mailed).toHaveLength(1);
    expect(await redis.get(`l:{${tagOf(email)}}mail:3600`)).toBe('1');
    expect(await enter(mailed[0]?.id ?? '', mailed[0]?.code ?? '')).toMatchObject({ outcome: 'right' });
  });

  test('is a new request after half a minute', async () => {
    const { id, code, email } = await ask({ seed: 'form' });
    await age(id, repeatSeconds - 1);
    expect((await ask({ email, seed: 'form' })).asked).toEqual({ outcome: 'repeated' });
    await age(id, 2);
    const next = await ask({ email, seed: 'form' });
    expect([next.asked.outcome, next.id]).toEqual(['asked', id]);
    expect(await enter(id, code)).toMatchObject({ outcome: 'wrong' });
    expect(await enter(id, next.code)).toMatchObject({ outcome: 'right' });
  });

  test('has an id that cannot be derived without the secret, and another one for another address', async () => {
    const email = address(newAddress());
    const id = challenges.idFor(email, 'form');
    expect(new Challenges(redis, ['another secret for the tests, of 32 characters']).idFor(email, 'form')).not.toBe(id);
    expect(challenges.idFor(address(newAddress()), 'form').slice(14)).not.toBe(id.slice(14));
    expect(challenges.idFor(email, undefined)).not.toBe(challenges.idFor(email, undefined));
  });
});

describe('a right code that is entered again', () => {
  test('stands for the same session, and the same browser, for half a minute', async () => {
    const { id, code, email } = await ask();
    const first = await enter(id, code);
    const again = await enter(id, code);
    expect(again).toMatchObject({ ...first, outcome: 'repeated', ageMs: expect.any(Number) });
    expect(again.outcome === 'repeated' && again.sessionId.startsWith(tagOf(email))).toBe(true);
    const left = await redis.pTTL(keyOf(id));
    expect(left).toBeLessThanOrEqual(repeatSeconds * 1000);
    expect(left).toBeGreaterThan(repeatSeconds * 1000 - 5000);
  });

  test('says how long ago the first one was', async () => {
    const { id, code } = await ask();
    await enter(id, code);
    await redis.pExpire(keyOf(id), repeatSeconds * 1000 - 7000);
    const again = await enter(id, code);
    expect(again.outcome === 'repeated' && Math.floor(again.ageMs / 1000)).toBe(7);
  });

  test('does not count as a guess, so that a double click uses up nothing', async () => {
    const { id, code, email } = await ask();
    for (let times = 1; times <= 10; times += 1) await enter(id, code);
    expect(await redis.get(`l:{${tagOf(email)}}guess:86400`)).toBe('1');
  });

  test('cannot be guessed either: a used code has five tries, which count for the address', async () => {
    const { id, code, email } = await ask();
    await enter(id, code);
    for (let tries = 1; tries <= triesPerCode; tries += 1)
      expect(await enter(id, wrongCode(code, tries))).toEqual(over);
    expect(await enter(id, code)).toEqual(over);
    expect(await redis.get(`l:{${tagOf(email)}}guess:86400`)).toBe(String(1 + triesPerCode));
  });
});

// Somebody's mistake, a restored dump, or another version of Latchkey.
test.each([
  ['a hash', async (key: string) => (await redis.del(key)) && redis.hSet(key, { hash: 'x', data: '{}' })],
  ['a list', async (key: string) => (await redis.del(key)) && redis.rPush(key, 'x')],
  ['nothing in it', (key: string) => redis.set(key, '')],
  ['another version', async (key: string) => redis.set(key, String(await redis.get(key)).replace(/^1/, '2'))],
  ['a field too few', async (key: string) => redis.set(key, String(await redis.get(key)).replace(/ \d+ /, ' '))],
  ['JSON', (key: string) => redis.set(key, '{"email":"ann@example.com"}')],
])('a record with %s counts as none, and is replaced', async (_what, damage) => {
  const { id, code, email } = await ask({ seed: 'form' });
  await damage(keyOf(id));
  expect(await challenges.find(id)).toBeUndefined();
  expect(await enter(id, code)).toEqual(over);
  const next = await ask({ email, seed: 'form', previousId: id });
  expect(await enter(next.id, next.code)).toMatchObject({ outcome: 'right' });
});

test.each([
  ['a list', (key: string) => redis.rPush(key, 'x')],
  ['no number', (key: string) => redis.set(key, 'many')],
  ['no end', (key: string) => redis.set(key, String(rateLimits.mailsPerAddress[0].points))],
])('a counter with %s keeps nobody out for good', async (_what, damage) => {
  const email = newAddress();
  const key = `l:{${tagOf(email)}}mail:3600`;
  await damage(key);
  await ask({ email });
  const left = await redis.ttl(key);
  expect(left).toBeGreaterThan(3590);
  expect(left).toBeLessThanOrEqual(3600);
});
