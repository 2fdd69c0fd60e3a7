import { expect, test } from 'vitest';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const { url, redis, logged } = await startApp({ redisAddress, env: { TRUST_PROXY: '1' } });
const latchkey = latchkeyOn(`unix://${redisAddress.socketPath}`);
const adminOf = async (visitor: Visitor) => (await visitor.get('/admin')).status;

test('with a full Redis, what operators need in an incident is done, holds at once, and is logged', async () => {
  const [ann, bob, eve] = [
    await signedIn(url, 'ann@example.com'),
    await signedIn(url, 'bob@example.com'),
    await signedIn(url, 'eve@example.com'),
  ];
  await redis.configSet('maxmemory', '1');
  const blocked = new Visitor(url, { 'X-Forwarded-For': '198.51.100.7' });
  await latchkey('block', '198.51.100.0/24');
  await expect.poll(async () => (await blocked.post('/login', { form: { email: 'x@example.com' } })).status).toBe(403);
  expect((await latchkey('unblock', '198.51.100.0/24')).json).toMatchObject({ wasBlocked: true });
  expect((await latchkey('end', 'ann@example.com')).json).toMatchObject({ ended: 1 });
  expect((await latchkey('export', 'bob@example.com')).json).toMatchObject({ held: { sessions: [{}] } });
  expect((await latchkey('forget', 'bob@example.com')).json).toMatchObject({ deleted: { sessions: 1 } });
  expect((await latchkey('end', '--everyone')).json).toMatchObject({ ended: 1 });
  expect(await Promise.all([ann, bob, eve].map(adminOf))).toEqual([401, 401, 401]);
  expect(await redis.exists('cut-off')).toBe(1);
  const commands = () => logged().filter(({ msg }) => msg === 'operator command');
  const done = ['block', 'unblock', 'end', 'export', 'forget', 'end --everyone'];
  await expect.poll(() => commands().map(({ command }) => command)).toEqual(done);
});
