import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { openRedis } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/log.ts';
import { Random } from '../soak/random.ts';
import { afterwards } from '../support/afterwards.ts';
import { targetOf } from '../support/app.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { newSmtpClient } from './courier.ts';
import { type Failure, type MailServer, startMailServer } from './mail-server.ts';
import { newOutbox } from './outbox-rig.ts';

/** The sessions get most of the time. */
const seconds = Number(process.env.SOAK_SECONDS || 600) / 5;
const seed = Number(process.env.SOAK_SEED || Math.floor(Math.random() * 2 ** 32));
const replay = `The same faults of mail again: SOAK_SEED=${seed} SOAK_SECONDS=${seconds * 5} npm run soak`;
const everyMs = 40;
/** An acceptance, or the record of it, can be lost with a connection. Such a mail is sent again. */
const maxDoubledPercent = 2;
const settled = { timeout: 90_000, interval: 500 };
const mailFaults: Failure[] = [
  { at: 'greeting', answer: 421 },
  { at: 'sender', answer: 451 },
  { at: 'recipient', answer: 450 },
  { at: 'recipient', answer: 452 },
  { at: 'data', answer: 452 },
  { at: 'recipient', answer: 'silence' },
];

console.log(replay);

test(`${seconds} s of mail and faults`, { timeout: (seconds + 180) * 1000 }, async ({ onTestFailed }) => {
  onTestFailed(() => console.error(replay));
  const random = new Random(seed);
  const redis = await startRedisServer('of-the-operator', ['--appendonly', 'yes', '--appendfsync', 'always']);
  const server = await startMailServer();
  const processes = await Promise.all([startOutbox(redis, server), startOutbox(redis, server)]);

  async function during(start: () => unknown, end: () => unknown): Promise<void> {
    await start();
    await sleep(random.between(200, 4000));
    await end();
  }
  const setFailure = (failure: Failure | undefined) => () => {
    server.failure = failure;
  };
  const faults: (() => Promise<unknown>)[] = [
    ...processes.flatMap(({ link }) => [
      async () => link.reset(),
      async () => link.cutAnswer(),
      () => during(link.hold, link.release),
      () => during(link.blackHole, link.release),
    ]),
    () => during(redis.kill, redis.start),
    () =>
      during(
        () => redis.signal('SIGSTOP'),
        () => redis.signal('SIGCONT'),
      ),
    () => during(server.stop, server.start),
    ...mailFaults.map((failure) => () => during(setFailure(failure), setFailure(undefined))),
  ];

  const endsAt = performance.now() + seconds * 1000;
  const promised: string[] = [];
  const withheld: string[] = [];
  let failed = 0;
  async function enqueue(number: number): Promise<void> {
    const to = `person@domain-${number}.example`;
    const isWithheld = number % 7 === 0;
    const priority = number % 5 === 0 ? 'high' : 'normal';
    try {
      await processes[number % 2]?.rig.enqueue({ to, priority, withheld: isWithheld });
      (isWithheld ? withheld : promised).push(to);
    } catch {
      failed += 1;
    }
  }
  async function enqueueAll(): Promise<void> {
    for (let number = 1; performance.now() < endsAt; number += 1) {
      void enqueue(number);
      await sleep(everyMs);
    }
  }
  async function failAtRandom(): Promise<void> {
    while (performance.now() < endsAt) {
      await random.pick(faults)?.();
      await sleep(random.between(200, 2000));
    }
  }
  await Promise.all([enqueueAll(), failAtRandom()]);

  const timesReceived = new Map<string, number>();
  const lost = () => {
    timesReceived.clear();
    for (const address of server.inbox.flatMap(({ to }) => to)) {
      timesReceived.set(address, (timesReceived.get(address) ?? 0) + 1);
    }
    return promised.filter((address) => !timesReceived.has(address));
  };
  await vi.waitFor(() => expect(lost()).toEqual([]), settled);
  // Nothing may be left in Redis but the rate, which expires within seconds.
  const left = () => redis.client((client) => client.keys('{outbox}:[mlqtw]*'));
  await vi.waitFor(async () => expect(await left()).toEqual([]), settled);
  lost();
  const doubled = promised.filter((address) => (timesReceived.get(address) ?? 0) > 1).length;
  console.table({ promised: promised.length, failed, doubled, lost: 0 });
  expect(withheld.filter((address) => timesReceived.has(address))).toEqual([]);
  expect(processes.flatMap(({ rig }) => rig.failed)).toEqual([]);
  expect(doubled).toBeLessThanOrEqual(Math.ceil((promised.length * maxDoubledPercent) / 100));
});

/** The outbox of a process, which reaches Redis over a link that can fail. */
async function startOutbox(redis: RedisServer, { port }: MailServer) {
  const link = await startTcpProxy({ host: '127.0.0.1', port: redis.port });
  afterwards(link.close);
  const url = Object.assign(new URL(redis.url), { port: link.port }).href;
  const { client } = await openRedis(targetOf({ url }), { config: readConfig({}), log: createLogger('silent') });
  afterwards(() => client.destroy());
  const courier = newSmtpClient({ port, timeouts: { envelopeMs: 3000, bodyMs: 3000 } });
  const policy = { minDelayMs: 200, maxDelayMs: 2000, maxPauseMs: 2000 };
  const rig = newOutbox({ redis: client, courier, policy });
  rig.outbox.start();
  return { link, rig };
}
