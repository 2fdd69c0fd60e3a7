import { describe, expect, test, vi } from 'vitest';
import { signIns } from '../../src/diagnostics.ts';
import { Challenges, keyOf } from '../../src/features/email-code/challenges.ts';
import { readCode } from '../../src/features/email-code/code.ts';
import { codeMails } from '../../src/features/email-code/code-mails.ts';
import { KnownBrowsers, newDeviceId } from '../../src/features/email-code/known-browsers.ts';
import { MailTemplates } from '../../src/features/email-code/mail-templates.ts';
import { RateLimits, rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { RevocationLinks } from '../../src/features/email-code/revocation-links.ts';
import { EmailCodeService } from '../../src/features/email-code/service.ts';
import type { Outbox } from '../../src/features/mail/outbox.ts';
import { createLogger } from '../../src/log.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { RedisUnavailable } from '../../src/redis/deadline.ts';
import { sessionKey, tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { startApp, testSecret } from '../support/app.ts';
import { newAddress, newIp, wrongCode } from './code-login.ts';

const { redis } = await startApp();
const log = createLogger('silent');
const day = 86_400;
const limits = { idleSeconds: day, absoluteSeconds: day, rememberIdleSeconds: day, rememberAbsoluteSeconds: day };

type Enqueue = ReturnType<Outbox['register']>['enqueue'];

/** The service, on this client, with an outbox that does what it is told. */
function serviceOn(
  client: RedisClient,
  enqueue: Enqueue,
  { mailsPerHour = 1000, isAllowed = (): boolean => true } = {},
) {
  const knownBrowsers = new KnownBrowsers(client, [testSecret]);
  const links = new RevocationLinks(client);
  const templates = new MailTemplates('Latchkey');
  const challenges = new Challenges(client, [testSecret]);
  const rateLimits = new RateLimits(client, mailsPerHour);
  const outbox = { register: () => ({ enqueue }) };
  const mails = codeMails({ outbox, templates, links, knownBrowsers, rateLimits, limits, log });
  return new EmailCodeService({ challenges, rateLimits, knownBrowsers, mails, isAllowed, log });
}

function newClient(deviceCookie?: string) {
  return { requestId: 'a', ip: newIp(), deviceCookie, device: 'Firefox on Linux', origin: 'https://login.example.com' };
}

function wishOf(email: string, seed?: string) {
  return { email: address(email), remember: true, previousId: undefined, seed };
}

/** The cookie by which an address knows a browser. */
function deviceCookieFor(email: string, deviceId = newDeviceId()): string {
  return new KnownBrowsers(redis, [testSecret]).cookieWith(undefined, tagOf(email), deviceId);
}

/** The service, and somebody who asks it for codes and reads them. */
function askingService(options: Parameters<typeof serviceOn>[2] = {}) {
  const enqueue = vi.fn<Enqueue>().mockResolvedValue(undefined);
  const service = serviceOn(redis, enqueue, options);
  async function ask(client: ReturnType<typeof newClient>, email = newAddress()) {
    const asked = await service.ask(wishOf(email), client);
    const code = readCode(enqueue.mock.lastCall?.[0].subject);
    if (asked.outcome !== 'asked' || code === undefined) throw new Error('it was refused');
    return { id: asked.id, code };
  }
  return { service, enqueue, ask };
}

test('a form whose mail could not be stored is no repeat when it is sent again', async () => {
  const enqueue = vi.fn<Enqueue>().mockRejectedValueOnce(new RedisUnavailable('full')).mockResolvedValue(undefined);
  const service = serviceOn(redis, enqueue);
  const [wish, visitor] = [wishOf(newAddress(), 'form'), newClient()];
  await expect(service.ask(wish, visitor)).rejects.toThrow(RedisUnavailable);
  expect((await service.ask(wish, visitor)).outcome).toBe('asked');
  expect(enqueue.mock.lastCall?.[1].withheld).toBe(false);
});

describe('a new code whose mail could not be stored', () => {
  const { service, enqueue, ask } = askingService();
  const full = new RedisUnavailable('full');
  const enter = (id: string, code: string) => service.enter([id], code, newClient());
  const again = (email: string, previousId: string) =>
    service.ask({ ...wishOf(email, 'again'), previousId }, newClient());

  test.each([
    ['is mailed', 1],
    ['is withheld', rateLimits.mailsPerAddress[0].points],
  ])('leaves the one before as it was, if it %s, even in a Redis that is full', async (_what, mails) => {
    const email = newAddress();
    for (let count = 1; count < mails; count += 1) await ask(newClient(), email);
    const { id, code } = await ask(newClient(), email);
    await enter(id, wrongCode(code));
    const record = await redis.get(keyOf(id));
    await redis.pExpire(keyOf(id), 300_000);
    enqueue.mockImplementationOnce(async () => {
      await redis.configSet('maxmemory', '1');
      throw full;
    });
    try {
      await expect(again(email, id)).rejects.toThrow(full);
    } finally {
      await redis.configSet('maxmemory', '0');
    }
    expect(enqueue.mock.lastCall?.[1].withheld).toBe(mails > 1);
    expect(await redis.get(keyOf(id))).toBe(record);
    expect(Math.ceil((await redis.pTTL(keyOf(id))) / 100_000)).toBe(3);
    expect(await enter(id, code)).toMatchObject({ outcome: 'right', email });
  });

  test('gives no try back that another copy of its form has used (ASVS 6.6.3)', async () => {
    const email = newAddress();
    const { id, code } = await ask(newClient(), email);
    enqueue.mockImplementationOnce(async () => {
      await enter(service.idFor(address(email), 'again'), wrongCode(code));
      throw full;
    });
    await expect(again(email, id)).rejects.toThrow(full);
    expect(await enter(id, code)).toEqual({ outcome: 'not waiting' });
  });

  test('stays good where only a copy of its form failed', async () => {
    const email = newAddress();
    const { id } = await ask(newClient(), email);
    await again(email, id);
    const code = readCode(enqueue.mock.lastCall?.[0].subject) ?? '';
    enqueue.mockRejectedValueOnce(full);
    await expect(again(email, id)).rejects.toThrow(full);
    const entered = await enter(service.idFor(address(email), 'again'), code);
    expect(entered).toMatchObject({ outcome: 'right', email });
  });
});

describe('asking for a code', () => {
  const { service, enqueue } = askingService({ mailsPerHour: 2 });
  const isWithheld = () => enqueue.mock.lastCall?.[1].withheld;
  const mailsThisHour = () => redis.get('l:{all-mail}3600');
  const ask = (email = newAddress(), { seed, ...client }: { seed?: string; deviceCookie?: string; ip?: string } = {}) =>
    service.ask(wishOf(email, seed), { ...newClient(), ...client });

  test('counts as one of the mails of this hour, unless it is withheld or the browser is known', async () => {
    await redis.flushAll();
    const reasons: string[] = [];
    const unsubscribe = signIns.subscribe(({ outcome }) => void reasons.push(outcome));
    const knownAddress = newAddress();
    const deviceCookie = deviceCookieFor(knownAddress);
    const email = newAddress();
    await ask(email, { seed: 'form' });
    expect([isWithheld(), await mailsThisHour()]).toEqual([false, '1']);
    // The same form again causes no second mail.
    await ask(email, { seed: 'form' });
    expect([isWithheld(), await mailsThisHour()]).toEqual([true, '1']);
    await ask(knownAddress, { deviceCookie });
    expect([isWithheld(), await mailsThisHour()]).toEqual([false, '1']);
    await ask();
    expect([isWithheld(), await mailsThisHour()]).toEqual([false, '2']);
    await ask();
    expect([isWithheld(), await mailsThisHour()]).toEqual([true, '2']);
    await ask(knownAddress, { deviceCookie });
    expect([isWithheld(), await mailsThisHour()]).toEqual([false, '2']);
    for (let mails = 3; mails <= rateLimits.mailsPerDevice[0].points; mails += 1)
      await ask(knownAddress, { deviceCookie });
    expect(isWithheld()).toBe(false);
    await ask(knownAddress, { deviceCookie });
    expect([isWithheld(), await mailsThisHour()]).toEqual([true, '2']);
    unsubscribe();
    expect(reasons).toEqual(['code withheld: MAILS_PER_HOUR', 'code withheld: enough mail for now']);
  });

  test('counts for the client as a stranger, or as somebody whose browser is known', async () => {
    const [email, ip] = [newAddress(), newIp()];
    const counts = () => Promise.all(['ask', 'ask-known'].map((name) => redis.get(`l:${name}:600:{${ip}}`)));
    await ask(email, { ip });
    expect(await counts()).toEqual(['1', null]);
    const deviceCookie = deviceCookieFor(email);
    await ask(email, { ip, deviceCookie });
    expect(await counts()).toEqual(['1', '1']);
  });

  test('too often takes no mail', async () => {
    await redis.flushAll();
    const ip = newIp();
    const [{ points }] = rateLimits.asksPerClient;
    await redis.set(`l:ask:600:{${ip}}`, String(points), { expiration: { type: 'EX', value: 600 } });
    enqueue.mockClear();
    expect(await ask(undefined, { ip })).toMatchObject({ outcome: 'too often' });
    expect(enqueue).not.toHaveBeenCalled();
    expect(await mailsThisHour()).toBe('0');
  });
});

describe('entering a code', () => {
  const unknown = `${tagOf(newAddress())}${'r'.repeat(22)}`;

  /** Two sign-ins of one browser, each with its code. */
  async function twoWaiting() {
    const { service, ask } = askingService();
    const client = newClient();
    return { service, client, ann: await ask(client), bob: await ask(client) };
  }

  test('for several sign-ins, of which only one exists, says what is wrong with that one', async () => {
    const { service, ask } = askingService();
    const client = newClient();
    const email = newAddress();
    const { id } = await ask(client, email);
    expect(await service.enter([unknown], '12345678', client)).toEqual({ outcome: 'not waiting' });
    for (const ids of [
      [unknown, id],
      [id, unknown],
    ]) {
      const entered = await service.enter(ids, 'no code', client);
      expect(entered).toMatchObject({ outcome: 'wrong', waiting: { id, email, remember: true } });
    }
    expect((await service.waiting([unknown, id])).map((waiting) => waiting.id)).toEqual([id]);
  });

  test('signs in for the one of several sign-ins that it is right for', async () => {
    const { service, client, ann, bob } = await twoWaiting();
    const ids = [ann.id, bob.id];
    expect(await service.enter(ids, bob.code, client)).toMatchObject({ outcome: 'right', isNewBrowser: true });
    expect((await service.waiting(ids)).map(({ id }) => id)).toEqual([ann.id]);
    expect(await service.enter(ids.toReversed(), bob.code, client)).toMatchObject({ outcome: 'repeated' });
  });

  test('for one that is over says so, unless it is wrong for another', async () => {
    const { service, client, ann, bob } = await twoWaiting();
    await service.enter([ann.id], ann.code, client);
    for (const ids of [
      [ann.id, bob.id],
      [bob.id, ann.id],
    ]) {
      expect(await service.enter(ids, 'no code', client)).toMatchObject({ outcome: 'wrong', waiting: { id: bob.id } });
    }
    for (const ids of [
      [ann.id, unknown],
      [unknown, ann.id],
    ]) {
      expect(await service.enter(ids, 'no code', client)).toMatchObject({ outcome: 'over' });
    }
  });

  test('too often is said of the first', async () => {
    const { service, client, ann, bob } = await twoWaiting();
    const [{ points }] = rateLimits.guessesPerClient;
    await redis.set(`l:guess:600:{${client.ip}}`, String(points), { expiration: { type: 'EX', value: 600 } });
    const entered = await service.enter([ann.id, bob.id], bob.code, client);
    expect(entered).toMatchObject({ outcome: 'too often', waiting: { id: ann.id } });
  });

  test('grants once more what was not stored', async () => {
    const { service, client, ann } = await twoWaiting();
    const entered = await service.enter([ann.id], ann.code, client);
    if (entered.outcome !== 'right') throw new Error('it was refused');
    expect(await service.grantAgain(entered)).toEqual(entered);
    await redis.del(sessionKey(entered.sessionId));
    expect(await service.grantAgain(entered)).toBeUndefined();
  });

  /** A code that was asked for in a browser that the address knows. */
  async function askedInKnownBrowser() {
    let isAllowed = true;
    const { service, ask } = askingService({ isAllowed: () => isAllowed });
    const [email, deviceId] = [newAddress(), newDeviceId()];
    const client = newClient(deviceCookieFor(email, deviceId));
    const { id, code } = await ask(client, email);
    const stranger = { ...client, deviceCookie: undefined };
    const forbid = () => (isAllowed = false);
    const knownBrowsers = new KnownBrowsers(redis, [testSecret]);
    return { service, knownBrowsers, tag: tagOf(email), deviceId, client, stranger, ids: [id], code, forbid };
  }

  test('in a known browser counts as its own guess, and leaves it known', async () => {
    const { service, knownBrowsers, tag, deviceId, client, stranger, ids, code } = await askedInKnownBrowser();
    const counts = () => Promise.all(['guess', 'guess-known'].map((name) => redis.get(`l:${name}:600:{${client.ip}}`)));
    const entered = await service.enter(ids, code, client);
    expect(entered).toMatchObject({ outcome: 'right', isNewBrowser: false, deviceId });
    expect(await knownBrowsers.isKnown(tag, deviceId)).toBe(true);
    expect(await counts()).toEqual([null, '1']);
    await service.enter(ids, 'no code', stranger);
    expect(await counts()).toEqual(['1', '1']);
  });

  test('without the cookie of the known browser that asked gives it no second id', async () => {
    const { service, deviceId, stranger, ids, code } = await askedInKnownBrowser();
    const entered = await service.enter(ids, code, stranger);
    expect(entered).toMatchObject({ outcome: 'right', isNewBrowser: false, deviceId });
  });

  test('after its browser was forgotten makes that a new one', async () => {
    const { service, knownBrowsers, tag, deviceId, stranger, ids, code } = await askedInKnownBrowser();
    await knownBrowsers.forget(tag, deviceId);
    const entered = await service.enter(ids, code, stranger);
    expect(entered).toMatchObject({ outcome: 'right', isNewBrowser: true });
    if (entered.outcome !== 'right') throw new Error('it was refused');
    expect(entered.deviceId).not.toBe(deviceId);
    expect(await knownBrowsers.isKnown(tag, entered.deviceId)).toBe(false);
  });

  test('once more, after its address was taken off the list, is over', async () => {
    const { service, client, ids, code, forbid } = await askedInKnownBrowser();
    await service.enter(ids, code, client);
    expect(await service.enter(ids, code, client)).toMatchObject({ outcome: 'repeated' });
    forbid();
    expect(await service.enter(ids, code, client)).toMatchObject({ outcome: 'over' });
  });
});
