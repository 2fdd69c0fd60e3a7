import { expect, test } from 'vitest';
import { RedisOutbox } from '../../src/features/mail/outbox.ts';
import { deriveSealKeys } from '../../src/features/mail/seal.ts';
import { createLogger } from '../../src/log.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { cliSecret, latchkeyOn } from '../cli/run-latchkey.ts';
import { mail, newSmtpClient } from '../mail/courier.ts';
import { connectUrl } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';
import { askForCode, newBrowser, signInByCode, startCodeApp } from './code-login.ts';

const redisAddress = await testRedis();
const redisUrl = `unix://${redisAddress.socketPath}`;
const app = await startCodeApp({ redisAddress, secrets: [cliSecret] });
const latchkey = latchkeyOn(redisUrl);

/** Everything in Redis, as text. */
async function everything(): Promise<string> {
  const dump = await app.redis.eval(
    `local all = {}
     for _, key in ipairs(redis.call('KEYS', '*')) do
       local kind = redis.call('TYPE', key).ok
       local value = kind == 'string' and redis.call('GET', key) or kind == 'hash' and redis.call('HGETALL', key)
         or kind == 'zset' and redis.call('ZRANGE', key, 0, -1) or ''
       all[#all + 1] = cjson.encode({key, value})
     end
     return all`,
    { keys: [], arguments: [] },
  );
  return Array.isArray(dump) ? dump.join('\n') : '';
}

/** Queues a mail that nobody delivers. */
async function queueMail(to: string): Promise<void> {
  const redis = await connectUrl(redisUrl);
  const log = createLogger('silent');
  const keys = deriveSealKeys([cliSecret]);
  const outbox = new RedisOutbox({
    redis,
    keys,
    log,
    courier: newSmtpClient({ port: 1 }),
    limits: { connections: 1, mailsPerMinute: 1 },
    maxDelayMs: 0,
  });
  const options = { priority: 'normal', ttlSeconds: 600, about: {}, context: {} } as const;
  await outbox.register('code').enqueue({ ...mail, to }, options);
  redis.destroy();
}

test("export shows every kind of record of an address, and forget deletes them, and nobody else's", async () => {
  const [ann, bob] = ['ann@example.com', 'bob@example.com'];
  for (const email of [ann, bob]) {
    const browser = newBrowser(app.url);
    await signInByCode(app, browser, email, { form: { form: `a form of ${email}`.replace(/\W/g, '') } });
    await askForCode(newBrowser(app.url), email);
    await app.mails.codeFor(email, 2);
    await expect.poll(() => app.redis.exists(`h:{${tagOf(email)}}`)).toBe(1);
    // A sent form expires after 30 s, which a slow machine may take: store it again.
    await app.redis.set(`f:${email}`, `${tagOf(email)}${'x'.repeat(22)}`, { expiration: { type: 'EX', value: 600 } });
  }
  await app.close();
  for (const email of [ann, bob]) await queueMail(email);

  const { held } = (await latchkey('export', ann)).json as { held: Record<string, object[]> };
  expect(Object.keys(held).sort()).toEqual([
    ...[
      'codes',
      'counters',
      'history',
      'links that end a session',
      'list of sessions',
      'mails',
      'sent forms',
      'sessions',
    ],
  ]);
  expect(held.sessions).toMatchObject([{ device: 'Firefox on Linux', email: ann, endsAt: expect.any(Date) }]);
  expect(held.mails).toMatchObject([{ mail: 'code' }]);
  // Nothing in it lets anybody sign in, or end a session.
  expect(JSON.stringify(held)).not.toMatch(/[\w-]{22}/);

  const before = await everything();
  expect(before).toContain(tagOf(ann));
  expect((await latchkey('forget', ann)).json).toMatchObject({ deleted: { sessions: 1, mails: 1, 'sent forms': 1 } });
  const after = await everything();
  expect(after.split('\n').filter((line) => line.includes(tagOf(ann)) && !line.includes('operator-log'))).toEqual([]);
  expect((await latchkey('export', ann)).json).toMatchObject({ held: {} });
  const others = (text: string) =>
    text
      .split('\n')
      .filter((line) => line.includes(tagOf(bob)))
      .sort();
  expect(others(after)).toEqual(others(before));
  expect(((await latchkey('export', bob)).json as { held: object }).held).toMatchObject({
    mails: [{}],
    sessions: [{}],
  });
});
