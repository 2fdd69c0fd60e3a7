import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { afterwards } from '../support/afterwards.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { endInOrder, heapOf, startWarmApp, unexpectedEnd } from './apps.ts';
import { Journal } from './event-log.ts';
import { Faults } from './faults.ts';
import { Person } from './person.ts';
import { Random } from './random.ts';
import { auditRedis, figuresOf } from './redis-audit.ts';

const seconds = Number(process.env.SOAK_SECONDS || 600);
const seed = Number(process.env.SOAK_SEED || Math.floor(Math.random() * 2 ** 32));
const replay = `The same faults and wishes again: SOAK_SEED=${seed} SOAK_SECONDS=${seconds} npm run soak`;

/** Short enough for many sessions to run out, long enough to tell a lost one from one that ran out. */
const settings = {
  SESSION_IDLE: '10s',
  SESSION_ABSOLUTE: '30s',
  SESSION_REMEMBER_IDLE: '20s',
  SESSION_REMEMBER_ABSOLUTE: '60s',
  SESSIONS_PER_ADDRESS: '8',
  SIGN_INS_PER_DAY: '999999', // feature: rate-limits
};
const { sessionLimits: limits, sessionsPerAddress } = readConfig(settings);
const apps = 2;
const people = 24;
const pauseMs = { least: 50, most: 450 };
const backWithinMs = 2000;
/** What the start, the audits and the end may take. */
const aroundSeconds = 180;
/** Until the last session has expired. */
const settled = { timeout: limits.rememberIdleSeconds * 1000 + 5000, interval: 500 };
/** What Node compiles as it goes, and Redis keeps of its own; both stop growing. */
const growthBytes = { heap: 6e6, redis: 256 * 1024 };
/** The first say more than all. */
const mostComplaints = 30;

console.log(replay);

test(`${seconds} s of visitors and faults`, { timeout: (seconds + aroundSeconds) * 1000 }, async ({ onTestFailed }) => {
  onTestFailed(() => console.error(replay));
  const redis = await startRedisServer('of-the-operator', ['--appendonly', 'yes', '--appendfsync', 'always']);
  const links = await Promise.all(Array.from({ length: apps }, () => newLink(redis.port)));
  const servers = await Promise.all(
    links.map(({ port }) => startWarmApp(Object.assign(new URL(redis.url), { port }).href, settings)),
  );
  const urls = servers.map((server) => server.url());
  const measure = async () => ({ ...(await figuresOf(redis)), heaps: await Promise.all(servers.map(heapOf)) });
  const before = await measure();
  expect(before.keys).toBe(0);

  const random = new Random(seed);
  const journal = new Journal();
  const world = { urls, limits, sessionsPerAddress, journal, owners: new Map<string, string>() };
  const crowd = Array.from(
    { length: people },
    (_, number) => new Person(`person-${number}@example.com`, random.branch(), world),
  );
  const faults = new Faults({ redis, links, urls, journal }, random.branch());
  const sessions = { signedIn: 0, ended: 0, alive: 0, dead: 0 };
  const audits = { count: 0, mostExpiredEntries: 0 };
  const endsAt = Date.now() + seconds * 1000;
  let goesOn = true;
  const isTime = () => goesOn && Date.now() < endsAt;

  try {
    const soak = Promise.all([harm(), ...crowd.map((person) => live(person, random.branch()))]);
    await Promise.race([soak, ...servers.map(unexpectedEnd)]);
  } finally {
    goesOn = false;
  }
  await Promise.all(crowd.map(askForAll));
  await audit();
  const isOver = async () => {
    expect(links.map((link) => link.connections())).toEqual(links.map(() => 1));
    expect((await figuresOf(redis)).keys).toBe(0);
  };
  await vi
    .waitFor(isOver, settled)
    .catch(({ message }: Error) => journal.complain(`connections or keys that nobody needs: ${message}`));
  const after = await measure();

  console.table(Object.fromEntries(journal.requests));
  console.table(Object.fromEntries(faults.figures));
  console.table({
    'sessions signed in': sessions.signedIn,
    'sessions ended before their time': sessions.ended,
    'had to be alive in the end, and were': sessions.alive,
    'had to be dead in the end, and were': sessions.dead,
    'audits of Redis': audits.count,
    'most index entries of expired sessions': audits.mostExpiredEntries,
  });
  console.table({ before: megabytes(before), after: megabytes(after) });
  expect.soft(journal.complaints.slice(0, mostComplaints)).toEqual([]);
  for (const [name, { 'slowest back ms': backMs }] of faults.figures)
    expect.soft(backMs, name).toBeLessThan(backWithinMs);
  expect.soft(after.bytes - before.bytes, 'growth of Redis in bytes').toBeLessThan(growthBytes.redis);
  for (const [index, heap] of after.heaps.entries()) {
    expect.soft(heap - (before.heaps[index] ?? 0), 'growth of an app in bytes').toBeLessThan(growthBytes.heap);
  }
  for (const server of servers) await endInOrder(server);

  async function live(person: Person, pauses: Random): Promise<void> {
    while (isTime()) {
      await person.act();
      await sleep(pauses.between(pauseMs.least, pauseMs.most));
    }
  }

  async function harm(): Promise<void> {
    while (isTime()) {
      await faults.next();
      await audit();
    }
  }

  async function audit(): Promise<void> {
    const signedInAt = new Map(crowd.map((person) => [person.tag, person.signedInAt]));
    const { complaints, expiredEntries } = await auditRedis(redis, limits, signedInAt);
    for (const complaint of complaints) journal.complain(complaint);
    audits.count += 1;
    audits.mostExpiredEntries = Math.max(audits.mostExpiredEntries, expiredEntries);
  }

  async function askForAll(person: Person): Promise<void> {
    const asked = await person.askForAll();
    sessions.signedIn += asked.signedIn;
    sessions.ended += asked.ended;
    sessions.alive += asked.alive;
    sessions.dead += asked.dead;
  }
});

async function newLink(port: number): Promise<TcpProxy> {
  const link = await startTcpProxy({ host: '127.0.0.1', port });
  afterwards(link.close);
  return link;
}

function megabytes({ bytes, heaps }: { bytes: number; heaps: number[] }) {
  const [redis, ...apps] = [bytes, ...heaps].map((count) => (count / 1e6).toFixed(2));
  return { 'Redis MB': redis, 'heaps MB': apps.join(', ') };
}
