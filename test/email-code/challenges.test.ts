import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  Challenges,
  codeDigits,
  codeSeconds,
  groupCode,
  readCode,
  triesPerCode,
} from '../../src/features/email-code/challenges.ts';
import { deadlineMs, RedisUnavailable } from '../../src/redis/connect.ts';
import { address } from '../support/address.ts';
import { startApp, testSecret } from '../support/app.ts';
import { wrongCode } from './code-login.ts';

const { redis } = await startApp();
const challenges = new Challenges(redis, [testSecret], deadlineMs);
const challenge = { email: address('ann@example.com'), remember: true, next: '/admin?tab=2' };
const over = { outcome: 'over' };
const willBeMailed = true;

describe('a code', () => {
  test('is of at least 20 bits (ASVS 6.5.4), and lasts ten minutes at most (ASVS 6.5.5)', () => {
    expect(Math.log2(10 ** codeDigits)).toBeGreaterThan(20);
    expect(codeSeconds).toBeLessThanOrEqual(600);
  });

  test('is of a CSPRNG, every digit as likely at every place (ASVS 6.5.3)', async () => {
    const predictable = Math.random;
    Math.random = () => 0.5;
    const codes = await Promise.all(
      Array.from({ length: 2000 }, async () => (await challenges.start(challenge, { willBeMailed })).code),
    ).finally(() => {
      Math.random = predictable;
    });
    // A pair of equal ones comes up in one run of fifty, four pairs in less than one of a million.
    expect(new Set(codes).size).toBeGreaterThan(1996);
    for (let place = 0; place < codeDigits; place += 1) {
      for (const digit of '0123456789') {
        const count = codes.filter((code) => code[place] === digit).length;
        // Of 2,000 about 200, give or take 13.4; six times that is beyond chance.
        expect(Math.abs(count - 200), `${digit} at ${place}: ${count}`).toBeLessThan(81);
      }
    }
  });

  test('brings back what was asked for, once (ASVS 6.5.1)', async () => {
    const { id, code } = await challenges.start(challenge, { willBeMailed });
    expect(await challenges.find(id)).toEqual(challenge);
    expect(await challenges.attempt(id, code)).toEqual({ outcome: 'right', challenge });
    expect(await challenges.attempt(id, code)).toEqual(over);
    expect(await challenges.find(id)).toBeUndefined();
  });

  test('has five tries, and looking is none', async () => {
    const { id, code } = await challenges.start(challenge, { willBeMailed });
    for (let tries = 1; tries < triesPerCode; tries += 1) {
      await challenges.find(id);
      const attempt = await challenges.attempt(id, wrongCode(code, tries));
      expect(attempt).toEqual({ outcome: 'wrong', triesLeft: triesPerCode - tries });
    }
    expect(await challenges.attempt(id, wrongCode(code))).toEqual(over);
    expect(await challenges.attempt(id, code)).toEqual(over);
  });

  // Else asking again and again would buy any number of guesses (NIST 800-63B, 3.2.2).
  test('that is kept back can not be guessed: even the right one is wrong (ASVS 6.6.3)', async () => {
    const { id, code } = await challenges.start(challenge, { willBeMailed: false });
    for (let tries = 1; tries < triesPerCode; tries += 1) {
      expect(await challenges.attempt(id, code)).toEqual({ outcome: 'wrong', triesLeft: triesPerCode - tries });
    }
    expect(await challenges.attempt(id, code)).toEqual(over);
    // What is accepted instead is no code at all.
    const other = await challenges.start(challenge, { willBeMailed: false });
    const kept = await challenges.start(challenge, { willBeMailed });
    const [hash, ofKept] = await Promise.all([other, kept].map(({ id }) => redis.hGet(`c:${id}`, 'hash')));
    expect(hash).toHaveLength(ofKept?.length ?? 0);
  });

  test('is good for the sign-in it was made for, and for no other (ASVS 6.6.2)', async () => {
    const mine = await challenges.start(challenge, { willBeMailed });
    const other = await challenges.start({ ...challenge, email: address('bob@example.com') }, { willBeMailed });
    expect(await challenges.attempt(other.id, mine.code)).toMatchObject({ outcome: 'wrong' });
    expect(await challenges.attempt('nothing', mine.code)).toEqual(over);
  });

  test('takes the place of the one before it in the same browser', async () => {
    const { id: previousId, code } = await challenges.start(challenge, { willBeMailed });
    const next = await challenges.start(challenge, { willBeMailed, previousId });
    expect(await challenges.attempt(previousId, code)).toEqual(over);
    expect(await challenges.attempt(next.id, code)).toMatchObject({ outcome: 'wrong' });
    expect(await challenges.attempt(next.id, next.code)).toMatchObject({ outcome: 'right' });
  });

  describe('that no other follows, though one was asked for,', () => {
    const askAgain = (previousId: string, email = challenge.email) =>
      challenges.start({ ...challenge, email }, { willBeMailed: false, previousId });

    test('stays good: who is impatient does not lose what did arrive', async () => {
      const { id, code } = await challenges.start(challenge, { willBeMailed });
      const again = await askAgain((await askAgain(id)).id);
      expect(await challenges.attempt(id, code)).toEqual(over);
      expect(await challenges.attempt(again.id, again.code)).toEqual({ outcome: 'wrong', triesLeft: 4 });
      expect(await challenges.attempt(again.id, code)).toMatchObject({ outcome: 'right' });
    });

    test('has no more tries for it than it had, which does not show (ASVS 6.6.3)', async () => {
      const { id, code } = await challenges.start(challenge, { willBeMailed });
      for (const tries of [1, 2, 3]) await challenges.attempt(id, wrongCode(code, tries));
      const again = await askAgain(id);
      expect(await challenges.attempt(again.id, wrongCode(code))).toEqual({ outcome: 'wrong', triesLeft: 4 });
      const last = await askAgain(again.id);
      expect(await challenges.attempt(last.id, wrongCode(code))).toEqual({ outcome: 'wrong', triesLeft: 4 });
      expect(await challenges.attempt(last.id, code)).toEqual({ outcome: 'wrong', triesLeft: 3 });
    });

    test('lasts no longer for it (ASVS 6.5.5)', async () => {
      const { id, code } = await challenges.start(challenge, { willBeMailed });
      const now = Date.now();
      vi.useFakeTimers({ toFake: ['Date'], now: now + (codeSeconds - 1) * 1000 });
      const again = await askAgain(id);
      const inTime = await askAgain(again.id);
      vi.setSystemTime(now + (codeSeconds + 1) * 1000);
      const tooLate = await challenges.attempt(inTime.id, code);
      vi.useRealTimers();
      expect(tooLate).toEqual({ outcome: 'wrong', triesLeft: 4 });
      expect(await challenges.attempt(inTime.id, code)).toMatchObject({ outcome: 'right' });
    });

    test('is taken along once, by however many wishes at once (ASVS 6.5.1, 6.6.3)', async () => {
      const { id, code } = await challenges.start(challenge, { willBeMailed });
      const wishes = await Promise.all(Array.from({ length: 20 }, () => askAgain(id)));
      const attempts = await Promise.all(wishes.map((wish) => challenges.attempt(wish.id, code)));
      expect(attempts.filter(({ outcome }) => outcome === 'right')).toHaveLength(1);
    });

    test('is not good for another address', async () => {
      const { id, code } = await challenges.start(challenge, { willBeMailed });
      const other = await askAgain(id, address('bob@example.com'));
      expect(await challenges.attempt(other.id, code)).toMatchObject({ outcome: 'wrong' });
    });
  });

  test('outlives a rotation of the secret, as long as the older one is still listed', async () => {
    const { id, code } = await challenges.start(challenge, { willBeMailed });
    const newSecret = 'a newer secret for the tests, of 32 characters';
    const rotated = new Challenges(redis, [newSecret, testSecret], deadlineMs);
    expect(await rotated.attempt(id, code)).toMatchObject({ outcome: 'right' });
    const second = await challenges.start(challenge, { willBeMailed });
    const replaced = new Challenges(redis, [newSecret], deadlineMs);
    expect(await replaced.attempt(second.id, second.code)).toMatchObject({ outcome: 'wrong' });
  });

  test('fails closed when Redis refuses (ASVS 16.5.3)', async () => {
    const { id, code } = await challenges.start(challenge, { willBeMailed });
    await redis.sendCommand(['ACL', 'SETUSER', 'default', '-eval', '-hset']);
    try {
      await expect(challenges.attempt(id, code)).rejects.toThrow(RedisUnavailable);
      await expect(challenges.start(challenge, { willBeMailed })).rejects.toThrow(RedisUnavailable);
    } finally {
      await redis.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
    }
    expect(await challenges.attempt(id, code)).toMatchObject({ outcome: 'right' });
  });
});

describe('readCode', () => {
  test('finds the digits however they are grouped, for any code', () => {
    const code = fc.integer({ min: 0, max: 10 ** codeDigits - 1 }).map((n) => String(n).padStart(codeDigits, '0'));
    const gap = fc.constantFrom('', ' ', '-', '\u2011', '\u2013', '\u2014', '.', '\u00a0', '\t', '\r\n', ' - ');
    fc.assert(
      fc.property(code, fc.array(gap, { minLength: codeDigits, maxLength: codeDigits }), (digits, gaps) => {
        expect(readCode([...digits].map((digit, place) => digit + gaps[place]).join(''))).toBe(digits);
        expect(readCode(groupCode(digits))).toBe(digits);
      }),
    );
  });

  test('gives eight ASCII digits or nothing, for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.anything()), (typed) => {
        expect(readCode(typed) ?? '00000000').toMatch(/^[0-9]{8}$/);
      }),
    );
  });
});
