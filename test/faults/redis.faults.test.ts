import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, test, vi } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { contributed } from '../support/contributions.ts';
import { Load } from '../support/load.ts';
import type { FaultParts, RedisFault } from '../support/redis-fault.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const password = 'of-the-operator';
const rotatedPassword = 'of-the-operator-from-now-on';
const restart = {
  begin: ({ redis }: FaultParts) => redis.kill(),
  end: ({ redis }: FaultParts) => redis.start(),
};
const command =
  (...words: string[]) =>
  ({ redis }: FaultParts) =>
    redis.client((client) => client.sendCommand(words));

const repetitions = 10;
const repeatedly = (hit: RedisFault['begin']) => ({
  begin: async (parts: FaultParts) => {
    for (let count = 0; count < repetitions; count += 1) {
      await hit(parts);
      await sleep(100);
    }
  },
  lastsMs: 0,
  losses: repetitions,
});

const faults: RedisFault[] = [
  { name: 'Redis killed and restarted, fsync always', ...restart, redisArgs: ['--appendfsync', 'always'] },
  // Redis puts a write off for up to 2 s while it waits for the disk.
  { name: 'Redis killed and restarted, fsync everysec', ...restart, mayLoseMs: 2000 },
  {
    name: 'Redis loading its data set',
    redisArgs: ['--key-load-delay', '100', '--appendfsync', 'always'],
    begin: async ({ redis }) => {
      await redis.client((client) => client.eval("for i = 1, 15000 do redis.call('SET', 'filler:' .. i, i) end"));
      await redis.kill();
    },
    lastsMs: 0,
    end: ({ redis }) => redis.start(),
  },
  {
    name: 'Redis frozen',
    begin: ({ redis }) => redis.signal('SIGSTOP'),
    lastsMs: 10_000,
    end: ({ redis }) => redis.signal('SIGCONT'),
  },
  {
    name: 'link slow, 200 ms',
    harmless: true,
    begin: ({ link }) => {
      link.delayMs = 200;
    },
    end: ({ link }) => {
      link.delayMs = 0;
    },
  },
  { name: 'link reset in mid-reply', ...repeatedly(({ link }) => link.cutAnswer()) },
  {
    name: 'Redis full',
    begin: command('CONFIG', 'SET', 'maxmemory', '1'),
    end: command('CONFIG', 'SET', 'maxmemory', '0'),
  },
  {
    name: 'Redis a read-only replica',
    begin: command('REPLICAOF', '127.0.0.1', '1'),
    end: command('REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'password rotated in Redis first',
    begin: ({ redis }) =>
      redis.client(async (client) => {
        await client.configSet('requirepass', rotatedPassword);
        await client.sendCommand(['CLIENT', 'KILL', 'USER', 'default']);
      }),
    end: async ({ link, load }) => load.moveTo((await startAppOn(link, rotatedPassword)).url),
  },
  { name: 'CLIENT KILL of all', ...repeatedly(command('CLIENT', 'KILL', 'USER', 'default')), mayMissRequests: true },
  { name: 'SCRIPT FLUSH', harmless: true, ...repeatedly(command('SCRIPT', 'FLUSH')) },
];

const contributions = await contributed('redis-faults');
faults.push(...contributions.flatMap(({ module }) => module.faults));

vi.setConfig({ testTimeout: 90_000 });

const table: Record<string, string | number>[] = [];
const unhandled: unknown[] = [];
const noteUnhandled = (reason: unknown) => unhandled.push(reason);
process.on('unhandledRejection', noteUnhandled);

afterAll(() => {
  process.off('unhandledRejection', noteUnhandled);
  console.table(table);
});

test.concurrent.for(faults)('$name', async (fault, { expect }) => {
  const { redisArgs = [], mayLoseMs = 0 } = fault;
  const redis = await startRedisServer(password, ['--appendonly', 'yes', ...redisArgs]);
  const link = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(redis.url).port) });
  afterwards(link.close);
  const app = await startAppOn(link, password);
  const load = new Load(app.url);
  await load.start(50);
  const startedAt = Date.now();
  await vi.waitFor(() => {
    expect(load.figures.requests).toBeGreaterThan(20);
    expect(Date.now() - startedAt).toBeGreaterThan(mayLoseMs);
  }, 20_000);
  const parts = { redis, link, load };

  const beganAt = Date.now();
  await fault.begin(parts);
  await sleep(fault.lastsMs ?? 1500);
  await fault.end?.(parts);
  const backMs = await load.untilServed();
  await load.stop();

  const { live, ended, lost, revived } = await load.audit(
    mayLoseMs > 0 ? { from: beganAt - mayLoseMs, to: beganAt } : undefined,
  );
  const { requests, refused, slowestMs } = load.figures;
  const losses = app.logged().filter(({ msg }) => msg === 'Redis lost').length;
  const returns = () => app.logged().filter(({ msg }) => msg === 'Redis back').length;
  const otherAlarms = app.logged().filter(({ level, msg }) => Number(level) > 30 && msg !== 'Redis lost').length;
  table.push({
    fault: fault.name,
    requests,
    '503': refused,
    'slowest ms': Math.round(slowestMs),
    'back after ms': Math.round(backMs),
    'sessions lost': `${lost} of ${live}`,
    'logouts undone': `${revived} of ${ended}`,
    alarms: losses + otherAlarms,
  });
  expect(load.complaints).toEqual([]);
  if (fault.harmless) expect(refused === 0 || load.isMachineBusy).toBe(true);
  else expect(fault.mayMissRequests ? losses : refused, 'the fault took effect').toBeGreaterThan(0);
  load.requirePromptness(backMs);
  expect({ lost, revived }).toEqual({ lost: 0, revived: 0 });
  expect(unhandled).toEqual([]);
  expect(losses).toBeLessThanOrEqual(fault.losses ?? 1);
  // The app of before still has the old password.
  if (!fault.name.startsWith('password')) await expect.poll(returns).toBe(losses);
  for (const { module } of contributions) expect(otherAlarms).toBeLessThanOrEqual(module.maxAlarms);
  await app.close();
});

function startAppOn(link: TcpProxy, withPassword: string): Promise<TestApp> {
  // A busy machine may need several attempts.
  return vi.waitFor(
    () => startApp({ redisAddress: { url: `redis://:${withPassword}@127.0.0.1:${link.port}` } }),
    20_000,
  );
}
