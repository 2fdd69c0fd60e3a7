import { describe, expect, test } from 'vitest';
import { handleOf, tagOf } from '../../src/session/session-id.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { testRedis } from '../support/test-redis.ts';

const keyPrefixes = [
  '',
  'latchkey:', // feature: redis-key-prefix
];

describe.each(keyPrefixes)('with the key prefix "%s"', async (prefix) => {
  const redisAddress = await testRedis();
  const env = {
    REDIS_KEY_PREFIX: prefix, // feature: redis-key-prefix
  };
  const { url, redis, logged } = await startApp({ redisAddress, env });
  const latchkey = latchkeyOn(`unix://${redisAddress.socketPath}`, env);
  const keyOf = (tag: string) => (prefix === '' ? tag : `${prefix}{${tag}}`);

  test('lists the sessions of an address, and of no other', async () => {
    const device = { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' };
    const ann = await signedIn(url, 'ann@example.com', device);
    await signedIn(url, 'bob@example.com');
    // Where from is written a moment later.
    await expect.poll(async () => (await latchkey('sessions', 'ann@example.com')).text).toContain('127.0.0.1');
    const { text, json } = await latchkey('sessions', ' ANN@example.com ');
    const [, handle] =
      /^(\S{16}) {2}Firefox on Linux {2}127\.0\.0\.1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/m.exec(text) ?? [];
    expect(handle).toBe(handleOf(ann.sessionId));
    expect(json).toMatchObject({
      address: 'ann@example.com',
      sessions: [{ session: handle, device: 'Firefox on Linux' }],
    });
    expect(text).toContain('ann@example.com has 1 session.');
    expect(text).not.toContain(ann.sessionId);
    expect((await latchkey('sessions', 'carol@example.com')).text).toBe('carol@example.com has 0 sessions.\n');
  });

  test("ends one session of an address, or all, and nobody else's", async () => {
    const [one, two, three] = [
      await signedIn(url, 'eve@example.com'),
      await signedIn(url, 'eve@example.com'),
      await signedIn(url, 'eve@example.com'),
    ];
    const bob = await signedIn(url, 'bob@example.com');
    expect((await latchkey('end', 'bob@example.com', '--session', handleOf(one.sessionId))).json).toMatchObject({
      ended: 0,
    });
    expect((await latchkey('end', 'eve@example.com', '--session', handleOf(one.sessionId))).json).toMatchObject({
      ended: 1,
    });
    expect((await one.get('/admin')).status).toBe(401);
    expect((await two.get('/admin')).status).toBe(200);
    expect((await latchkey('end', 'eve@example.com')).text).toBe('Ended 2 sessions of eve@example.com.\n');
    expect([(await two.get('/admin')).status, (await three.get('/admin')).status]).toEqual([401, 401]);
    expect((await bob.get('/admin')).status).toBe(200);
  });

  test('the log names a session that was ended, and repeats nothing else that was typed', async () => {
    const { sessionId } = await signedIn(url, 'gina@example.com');
    const [session, person] = [handleOf(sessionId), tagOf('gina@example.com')];
    await latchkey('end', 'gina@example.com', '--session', sessionId);
    await latchkey('end', 'gina@example.com', '--session', session);
    const told = () =>
      logged().flatMap((line) =>
        line.command === 'end' && line.person === person ? [[line.ended, line.session]] : [],
      );
    await expect.poll(told).toEqual([
      [0, undefined],
      [1, session],
    ]);
  });

  test('ends none by listing them, not even those of an address that is no longer allowed', async () => {
    const frank = await signedIn(url, 'frank@example.com');
    const strict = latchkeyOn(`unix://${redisAddress.socketPath}`, { ...env, ALLOWED_EMAILS: '@example.org' });
    expect((await strict('sessions', 'frank@example.com')).json).toMatchObject({ sessions: [{}] });
    expect((await frank.get('/admin')).status).toBe(200);
  });

  test('finds and ends sessions whose list somebody has deleted', async () => {
    const lost = await signedIn(url, 'lost@example.com');
    await redis.del(keyOf(tagOf('lost@example.com')));
    expect((await latchkey('sessions', 'lost@example.com')).json).toMatchObject({
      sessions: [{ session: handleOf(lost.sessionId) }],
    });
    expect((await latchkey('end', 'lost@example.com')).json).toMatchObject({ ended: 1 });
    expect((await lost.get('/admin')).status).toBe(401);
  });

  test('counts live sessions and addresses, by when', async () => {
    await latchkey('end', '--everyone');
    await signedIn(url, 'ann@example.com');
    await signedIn(url, 'ann@example.com');
    const old = await signedIn(url, 'bob@example.com');
    // Twenty minutes ago, as the record says it: hexadecimal seconds.
    const key = `${prefix}{${old.sessionId.slice(0, 14)}}${old.sessionId.slice(14)}`;
    const twentyMinutesAgo = Math.floor(Date.now() / 1000 - 1200).toString(16);
    await redis.setRange(key, 0, twentyMinutesAgo);
    const { json, text } = await latchkey('count');
    expect(json).toEqual({
      sessions: 3,
      addresses: 2,
      within: [
        { seconds: 300, signedIn: 3, lastSeen: 2 },
        { seconds: 3600, signedIn: 3, lastSeen: 3 },
        { seconds: 86_400, signedIn: 3, lastSeen: 3 },
        { seconds: 604_800, signedIn: 3, lastSeen: 3 },
      ],
    });
    expect(text).toContain('3 live sessions of 2 addresses\n');
    expect(text).toMatch(/^in the last 5 minutes +3 +2$/m);
  });

  test("ends everybody's sessions, and leaves the rest of what Redis holds", async () => {
    const all = [await signedIn(url, 'ann@example.com'), await signedIn(url, 'bob@example.com')];
    await redis.set('of another application', '1');
    const { json } = await latchkey('end', '--everyone');
    expect(json).toMatchObject({ ended: expect.any(Number) });
    for (const visitor of all) expect((await visitor.get('/admin')).status).toBe(401);
    expect(await redis.get('of another application')).toBe('1');
    expect((await signedIn(url, 'ann@example.com').then((ann) => ann.get('/admin'))).status).toBe(200);
  });
});
