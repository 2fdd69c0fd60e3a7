import { afterEach, describe, expect, test, vi } from 'vitest';
import { OperatorLog } from '../../src/features/incidents/operator-log.ts';
import { createLogger } from '../../src/log.ts';
import type { NodeClient } from '../../src/redis/node.ts';
import { sessionKey, tagOf } from '../../src/session/session-id.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { connectUrl, startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { commandsFor } from '../support/commands.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { testRedis } from '../support/test-redis.ts';
import type { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const { url, redis } = await startApp({ redisAddress });
const latchkey = latchkeyOn(`unix://${redisAddress.socketPath}`);
const adminOf = async (visitor: Visitor) => (await visitor.get('/admin')).status;

/** Takes a session out of Redis, to bring it back later as a backup, an outdated replica or a late write would. */
async function keep(visitor: Visitor, node: NodeClient = redis): Promise<() => Promise<void>> {
  const key = sessionKey(visitor.sessionId);
  const record = (await node.get(key)) ?? '';
  return async () => void (await node.set(key, record, { expiration: { type: 'EX', value: 600 } }));
}

afterEach(() => {
  vi.useRealTimers();
});

test('no session comes back: not in the processes that run, and not in one that starts later', async () => {
  const ann = await signedIn(url);
  const restore = await keep(ann);
  await latchkey('end', '--everyone');
  await restore();
  await expect.poll(() => adminOf(ann)).toBe(401);
  const later = await startApp({ redisAddress });
  expect(await adminOf(ann.copy(later.url))).toBe(401);
  // And who signs in again stays signed in.
  expect(await adminOf(await signedIn(url))).toBe(200);
});

test('no command shows a session that a backup has brought back', async () => {
  const ann = await signedIn(url, 'restored@example.com');
  const restore = await keep(ann);
  await latchkey('end', '--everyone');
  await restore();
  expect(await adminOf(ann)).toBe(401);
  await restore();
  expect((await latchkey('sessions', 'restored@example.com')).json).toMatchObject({ sessions: [] });
  expect((await latchkey('count')).json).toMatchObject({ sessions: 0, addresses: 0 });
});

const losses = [
  'hold',
  'blackHole', // feature: failover
] as const;

describe.each(losses)('a process that Redis does not reach for a while (%s)', async (loss) => {
  const proxy = await startTcpProxy({ path: redisAddress.socketPath });
  const partitioned = await startApp({ redisAddress: { url: `redis://127.0.0.1:${proxy.port}` } });

  test('learns of it before it loads the first session', async () => {
    const ann = await signedIn(partitioned.url);
    const restore = await keep(ann);
    proxy[loss]();
    await latchkey('end', '--everyone');
    await restore();
    proxy.release();
    const statuses: number[] = [];
    await vi.waitFor(async () => {
      statuses.push(await adminOf(ann));
      expect(statuses.at(-1)).not.toBe(503);
    }, 15_000);
    expect(statuses.at(-1)).toBe(401);
    expect(statuses).not.toContain(200);
  });
});

test('a process whose clock is behind can sign people in again at once', async () => {
  await latchkey('end', '--everyone');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 660_000 });
  const ann = await signedIn(url);
  expect(await adminOf(ann)).toBe(200);
});

test('a session that a process with a clock ahead of Redis has stored ends as well', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 660_000 });
  const ann = await signedIn(url);
  await latchkey('end', '--everyone');
  expect(await adminOf(ann)).toBe(401);
});

test('it costs a page nothing: still one GET', async () => {
  const ann = await signedIn(url);
  await ann.get('/');
  expect(await commandsFor(redis, () => ann.get('/'))).toEqual({ get: '1' });
});

test('what was done, and who did it, stands once in the log of the app, whether it was running or not', async () => {
  const own = await testRedis();
  await latchkeyOn(`unix://${own.socketPath}`)('end', 'ann@example.com');
  const apps = [await startApp({ redisAddress: own }), await startApp({ redisAddress: own })];
  await latchkeyOn(`unix://${own.socketPath}`)('end', '--everyone');
  const commands = () =>
    apps
      .flatMap(({ logged }) => logged().filter(({ msg }) => msg === 'operator command'))
      .map(({ command }) => command);
  await expect.poll(commands).toEqual(['end', 'end --everyone']);
  const [entry] = apps.flatMap(({ logged }) => logged().filter(({ command }) => command === 'end'));
  expect(entry).toMatchObject({
    level: 40,
    actor: { user: 'olga', from: 'desk' },
    person: tagOf('ann@example.com'),
    ended: 0,
  });
});

test('it is left to a process that logs warnings', async () => {
  const own = await testRedis();
  const lines: Record<string, unknown>[] = [];
  const logOf = (level: 'error' | 'warn') => createLogger(level, { write: (line) => lines.push(JSON.parse(line)) });
  await latchkeyOn(`unix://${own.socketPath}`)('end', 'ann@example.com');
  const client = await connectUrl(`unix://${own.socketPath}`);
  const operatorLog = new OperatorLog(client);
  await operatorLog.drainTo(logOf('error'));
  await operatorLog.drainTo(logOf('warn'));
  expect(lines).toMatchObject([{ msg: 'operator command', command: 'end' }]);
  client.destroy();
});
