import { expect, test, vi } from 'vitest';
import { Challenges } from '../../src/features/email-code/challenges.ts';
import { codeMails } from '../../src/features/email-code/code-mails.ts';
import { KnownBrowsers } from '../../src/features/email-code/known-browsers.ts';
import { MailTemplates } from '../../src/features/email-code/mail-templates.ts';
import { RateLimits } from '../../src/features/email-code/rate-limits.ts';
import { RevocationLinks } from '../../src/features/email-code/revocation-links.ts';
import { EmailCodeService } from '../../src/features/email-code/service.ts';
import type { Outbox } from '../../src/features/mail/outbox.ts';
import { createLogger } from '../../src/log.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { RedisUnavailable } from '../../src/redis/deadline.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { startApp, testSecret } from '../support/app.ts';
import { newAddress, newIp } from './code-login.ts';

const { redis } = await startApp();
const log = createLogger('silent');
const day = 86_400;
const limits = { idleSeconds: day, absoluteSeconds: day, rememberIdleSeconds: day, rememberAbsoluteSeconds: day };

type Enqueue = ReturnType<Outbox['register']>['enqueue'];

/** The service, on this client, with an outbox that does what it is told. */
function serviceOn(client: RedisClient, enqueue: Enqueue) {
  const knownBrowsers = new KnownBrowsers(client, [testSecret]);
  const links = new RevocationLinks(client);
  const templates = new MailTemplates('Latchkey');
  const challenges = new Challenges(client, [testSecret]);
  const rateLimits = new RateLimits(client, 1000);
  const outbox = { register: () => ({ enqueue }) };
  const mails = codeMails({ outbox, templates, links, knownBrowsers, rateLimits, limits, log });
  return {
    knownBrowsers,
    service: new EmailCodeService({ challenges, rateLimits, knownBrowsers, mails, isAllowed: () => true, log }),
  };
}

function newClient(deviceCookie?: string) {
  return { requestId: 'a', ip: newIp(), deviceCookie, device: 'Firefox on Linux', origin: 'https://login.example.com' };
}

/** This Redis, and how often it was waited for while nothing else was under way. */
function countingRoundTrips(client: RedisClient): { client: RedisClient; trips: () => number } {
  let trips = 0;
  let underWay = 0;
  const counting = new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        if (underWay === 0) trips += 1;
        underWay += 1;
        return Reflect.apply(value, target, args).finally(() => {
          underWay -= 1;
        });
      };
    },
  });
  return { client: counting, trips: () => trips };
}

test.each([
  ['a new browser', false],
  ['a known one', true],
])(
  '%s waits for Redis three times to ask for a code, and four times to enter it, its session included',
  async (_what, isKnown) => {
    const { client, trips } = countingRoundTrips(redis);
    const enqueue = vi.fn<Enqueue>(async () => {
      await client.get('nothing');
    });
    const { service, knownBrowsers } = serviceOn(client, enqueue);
    const email = address(newAddress());
    const visitor = newClient(isKnown ? knownBrowsers.cookieWith(undefined, tagOf(email), 'A'.repeat(22)) : undefined);
    const asked = await service.ask({ email, remember: false, previousId: undefined, seed: 'form' }, visitor);
    expect(trips()).toBeLessThanOrEqual(3);
    const code = /\d{8}/.exec(enqueue.mock.lastCall?.[0].text.replace(/ /g, '') ?? '')?.[0] ?? '';

    const before = trips();
    const entered = await service.enter([asked.outcome === 'asked' ? asked.id : ''], code, visitor);
    if (entered.outcome !== 'right') throw new Error(entered.outcome);
    const [announce] = await Promise.all([service.prepareSignIn(entered, visitor), client.get('nothing')]);
    await announce();
    expect(entered.isNewBrowser).toBe(!isKnown);
    expect(trips() - before).toBeLessThanOrEqual(4);
  },
);

test('a form whose mail could not be stored is no repeat when it is sent again', async () => {
  const enqueue = vi.fn<Enqueue>().mockRejectedValueOnce(new RedisUnavailable('full')).mockResolvedValue(undefined);
  const { service } = serviceOn(redis, enqueue);
  const [wish, visitor] = [
    { email: address(newAddress()), remember: false, previousId: undefined, seed: 'form' },
    newClient(),
  ];
  await expect(service.ask(wish, visitor)).rejects.toThrow(RedisUnavailable);
  expect((await service.ask(wish, visitor)).outcome).toBe('asked');
  expect(enqueue.mock.lastCall?.[1].withheld).toBe(false);
});
