import { expect } from 'vitest';
import { Challenges } from '../../src/features/email-code/challenges.ts';
import { newCode } from '../../src/features/email-code/code.ts';
import { readEarlier } from '../../src/features/email-code/earlier-codes.ts';
import { KnownBrowsers, newDeviceId } from '../../src/features/email-code/known-browsers.ts';
import { guessCosts, mailCosts, RateLimits } from '../../src/features/email-code/rate-limits.ts';
import { RevocationLinks } from '../../src/features/email-code/revocation-links.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { keepCodeOutOfLogs } from '../mail/mail-server.ts';
import { address } from '../support/address.ts';
import { testSecret } from '../support/app.ts';
import { keepOutOfLogs } from '../support/secrets.ts';

const email = address('ann@example.com');
const tag = tagOf(email);
const deviceId = newDeviceId();

/** What sign-in by code keeps in Redis, each use once. */
export async function useRedis(redis: RedisClient): Promise<void> {
  const challenges = new Challenges(redis, [testSecret]);
  const code = newCode();
  const ask = async (known: string | undefined, previousId?: string) => {
    const id = challenges.idFor(email, undefined);
    keepOutOfLogs(id);
    const challenge = { id, code, email, remember: false, deviceId: known };
    const options = { previousId, isAllowed: true, counters: mailCosts(tag, known) };
    const asked = await challenges.ask(challenge, options);
    expect(asked).toMatchObject({ outcome: 'asked', isMailed: true });
    return { id, asked };
  };
  keepCodeOutOfLogs(code);
  const { id: previousId } = await ask(undefined);
  const { id, asked } = await ask(deviceId, previousId);
  expect(await challenges.find(previousId)).toBeUndefined();
  const challenge = await challenges.find(id);
  if (!challenge) throw new Error('nothing waits');
  const enter = (typed: string, known: string | undefined) =>
    challenges.enter(challenge, typed, { deviceId, isNewDevice: true, counters: guessCosts(tag, known) });
  expect(await enter('no code', undefined)).toMatchObject({ outcome: 'wrong', triesLeft: 4 });
  expect(await enter(code, deviceId)).toMatchObject({ outcome: 'right', email, deviceId });
  expect(await enter(code, deviceId)).toMatchObject({ outcome: 'repeated', email, deviceId });
  if (asked.outcome === 'asked') await challenges.takeBack(id, asked.replaced);
  expect(await readEarlier(redis, 'none', 'look')).toBeUndefined();

  const rateLimits = new RateLimits(redis, 1);
  for (const ip of ['192.0.2.1', '2001:db8::1']) {
    for (let count = 0; count < 30; count += 1) expect((await rateLimits.takeAsk(ip, false)).waitSeconds).toBe(0);
    expect((await rateLimits.takeAsk(ip, false)).waitSeconds).toBeGreaterThan(0);
    expect(await rateLimits.takeGuess(ip, true)).toBe(0);
    await rateLimits.giveBackSignIn(ip);
  }
  expect(await rateLimits.takeMail()).toBe(false);
  await rateLimits.settleMail({ isGivenBack: true });
  expect(await rateLimits.takeMail()).toBe(true);

  const knownBrowsers = new KnownBrowsers(redis, [testSecret]);
  await knownBrowsers.awaitNotice(tag, deviceId);
  expect(await knownBrowsers.isKnown(tag, deviceId)).toBe(false);
  await knownBrowsers.confirm(tag, deviceId);
  expect(await knownBrowsers.isKnown(tag, deviceId)).toBe(true);
  await knownBrowsers.forget(tag, deviceId);
  await knownBrowsers.confirm(tag, deviceId);
  expect(await knownBrowsers.isKnown(tag, deviceId)).toBe(false);

  const links = new RevocationLinks(redis);
  const linked = { sessionId: 'a-session-id', deviceId: 'a-device-id' };
  const token = await links.create(linked, Date.now() + 3_600_000);
  keepOutOfLogs(token);
  expect(await links.find(token)).toEqual(linked);
  expect([await links.use(token, linked, true), await links.use(token, linked, false)]).toEqual([true, true]);
}
