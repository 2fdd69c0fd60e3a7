import { beforeEach, describe, expect, test } from 'vitest';
import { now } from '../../src/clock.ts';
import { codeMails } from '../../src/features/email-code/code-mails.ts';
import { KnownBrowsers } from '../../src/features/email-code/known-browsers.ts';
import { MailTemplates } from '../../src/features/email-code/mail-templates.ts';
import { guessCosts, mailCosts, RateLimits } from '../../src/features/email-code/rate-limits.ts';
import { RevocationLinks } from '../../src/features/email-code/revocation-links.ts';
import type { Mail } from '../../src/features/mail/delivery.ts';
import type { Outbox } from '../../src/features/mail/outbox.ts';
import { createLogger } from '../../src/log.ts';
import { RedisUnavailable } from '../../src/redis/deadline.ts';
import { newSessionId, tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { startApp, testSecret } from '../support/app.ts';
import { newAddress } from './code-login.ts';

type Handlers = NonNullable<Parameters<Outbox['register']>[1]>;
type Queued = { kind: string; mail: Mail; delivery: object };

const { redis } = await startApp();
const day = 86_400;
const limits = { idleSeconds: day, absoluteSeconds: day, rememberIdleSeconds: day, rememberAbsoluteSeconds: 2 * day };
const knownBrowsers = new KnownBrowsers(redis, [testSecret]);
const cause = { requestId: 'r1', device: 'Firefox on Linux', origin: 'https://login.example.com' };

const lines: string[] = [];
const queued: Queued[] = [];
const handlers = new Map<string, Handlers>();
let failure: Error | undefined;

/** An outbox that keeps what it is given. */
const outbox: Outbox = {
  register(kind, given) {
    if (given) handlers.set(kind, given as Handlers);
    return {
      async enqueue(mail, delivery) {
        if (failure) throw failure;
        queued.push({ kind, mail, delivery });
      },
    };
  },
};
const mails = codeMails({
  ...{ outbox, templates: new MailTemplates('Latchkey'), links: new RevocationLinks(redis), knownBrowsers, limits },
  ...{ rateLimits: new RateLimits(redis, 1000), log: createLogger('info', { write: (line) => void lines.push(line) }) },
});

beforeEach(() => {
  failure = undefined;
  lines.length = 0;
  queued.length = 0;
});

function granted(remember = false) {
  const email = address(newAddress());
  return { email, remember, sessionId: newSessionId(tagOf(email)), deviceId: 'D'.repeat(22) };
}

describe('the mail of a code', () => {
  test.each([
    [undefined, 'normal', ''],
    ['D'.repeat(22), 'high', 'D'.repeat(22)],
  ])('for the browser %s has priority %s', async (deviceId, priority, contextId) => {
    const to = address(newAddress());
    await mails.sendCode({ to, code: '12345678', deviceId, isWithheld: deviceId === undefined }, cause);
    expect(queued).toMatchObject([
      { kind: 'code', mail: { to }, delivery: { priority, withheld: deviceId === undefined, ttlSeconds: 600 } },
    ]);
    expect(queued[0]?.delivery).toMatchObject({
      about: { id: 'r1', person: tagOf(to) },
      context: { tag: tagOf(to), deviceId: contextId },
    });
  });

  test.each(['', 'D'.repeat(22)])('gives its points back if it fails for good (browser: %j)', async (deviceId) => {
    const tag = tagOf(newAddress());
    const costs = mailCosts(tag, deviceId || undefined).filter(({ cost }) => cost > 0);
    const others = mailCosts(tag, deviceId ? undefined : 'D'.repeat(22)).filter(({ cost }) => cost > 0);
    const guesses = guessCosts(tag, deviceId || undefined);
    for (const { key } of [...costs, ...others, ...guesses]) await redis.set(key, '3');
    await handlers.get('code')?.onFailed?.({ tag, deviceId });
    const valuesOf = (counters: typeof costs) => Promise.all(counters.map(({ key }) => redis.get(key)));
    expect(new Set(await valuesOf(costs))).toEqual(new Set(['2']));
    expect(new Set(await valuesOf(others))).toEqual(new Set(['3']));
    expect(new Set(await valuesOf(guesses))).toEqual(new Set(['3']));
  });
});

describe('the notice of a new browser', () => {
  test('is sent when its session is stored, and confirms the browser once it is accepted', async () => {
    const session = granted(true);
    const { email, sessionId, deviceId } = session;
    const tag = tagOf(email);
    await knownBrowsers.awaitNotice(tag, deviceId);
    const [others, before] = [await redis.keys('n:*'), now()];
    const send = await mails.prepareNotice(session, cause);
    expect(queued).toEqual([]);
    await send();
    const [{ mail, delivery } = {}] = queued;
    expect(delivery).toEqual({
      ...{ priority: 'high', ttlSeconds: day, about: { id: 'r1', person: tag }, context: { tag, deviceId } },
    });
    expect(mail?.text).toContain('Firefox on Linux signed in with your address on');
    const [, token = ''] = /https:\/\/login\.example\.com\/end-session\?token=([\w-]+)/.exec(mail?.text ?? '') ?? [];
    const links = new RevocationLinks(redis);
    expect(await links.find(token)).toEqual({ sessionId, deviceId });
    const [linkKey = ''] = (await redis.keys('n:*')).filter((key) => !others.includes(key));
    const endsAt = await redis.pExpireTime(linkKey);
    expect(endsAt).toBeGreaterThanOrEqual(before + 2 * day * 1000);
    expect(endsAt).toBeLessThanOrEqual(now() + 2 * day * 1000);
    await handlers.get('notice')?.onAccepted?.({ tag, deviceId });
    expect(await knownBrowsers.isKnown(tag, deviceId)).toBe(true);
  });

  test('says how else somebody has signed in', async () => {
    const proof = { means: 'a key', advice: 'Then remove the key.' };
    await (await mails.prepareNotice(granted(), cause, proof))();
    expect(queued[0]?.mail.text).toContain('signed in with a key on');
    expect(queued[0]?.mail.text).toContain('Then remove the key.');
  });

  test('that cannot be stored is logged, and costs nobody the sign-in', async () => {
    const session = granted();
    const send = await mails.prepareNotice(session, cause);
    failure = new RedisUnavailable('full');
    await send();
    await redis.sendCommand(['ACL', 'SETUSER', 'default', '-set']);
    try {
      await (await mails.prepareNotice(session, cause))();
    } finally {
      await redis.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
    }
    const logged = {
      ...{ level: 50, id: 'r1', person: tagOf(session.email), mail: 'notice', msg: 'notice of a new browser not sent' },
      err: { name: 'RedisUnavailable' },
    };
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([logged, logged]);
    expect(queued).toEqual([]);
  });
});
