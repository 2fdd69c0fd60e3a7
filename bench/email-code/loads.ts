import { setTimeout as sleep } from 'node:timers/promises';
import { type Closers, withCleanup } from '../../scripts/cleanup.ts';
import { type RunningServer, startModule } from '../servers.ts';
import { startStageRedis } from './redis.ts';
import { type Behaviour, type Relay, SmtpReply, startRelay } from './relay.ts';
import { askAll, newAddress, newAddresses, newOwner, timeOwner, until } from './visitors.ts';

/** What became of the codes of a load. */
export type Row = {
  /** How many visitors were told that their code is on its way. */
  promised: number;
  sent: number;
  doubled: number;
  lost: number;
  slowestSeconds: number;
  /** The longest that the known browser waited beyond the relay's own time; undefined where there is none. */
  knownSeconds: number | undefined;
};

/** A load; `scale` is 1, or smaller for a quick run. */
export type Load = {
  name: string;
  /** Whether Redis writes to disk: the speed of the disk is not what other loads measure. */
  isDurable?: true;
  run: (stage: Stage, scale: number) => Promise<Row>;
};

/** A Redis, a relay and app processes of one load. */
export type Stage = Awaited<ReturnType<typeof newStage>>;

const server = new URL('../../dist/server.js', import.meta.url);
/** Of a code, which is of no use later. */
const lifeMs = 600_000;
const fast = { SMTP_CONNECTIONS: '10', SMTP_MAILS_PER_MINUTE: '60000' };

type StageOptions = { node: string; isDurable: boolean };

/** Runs a load on a stage of its own, and closes that. @param options `node` runs the apps */
export function withStage(options: StageOptions, run: (stage: Stage) => Promise<void>): Promise<void> {
  const closers: Closers = [];
  return withCleanup(closers, async () => run(await newStage(options, closers)));
}

async function newStage({ node, isDurable }: StageOptions, closers: Closers) {
  const redis = await startStageRedis({ isDurable });
  closers.push(redis.stop);
  return {
    redis,
    async startRelay(behaviour: Behaviour = {}): Promise<Relay> {
      const relay = await startRelay(behaviour);
      closers.push(relay.stop);
      return relay;
    },
    async startApp(relay: Relay, env: Record<string, string> = {}): Promise<RunningServer<string>> {
      const start = () =>
        startModule('latchkey', server, { node, redisUrl: redis.url, env: { ...envOf(relay), ...env } });
      // On a busy machine the first start may time out.
      const app = await start().catch(start);
      closers.push(app.stop);
      return app;
    },
  };
}

function envOf(relay: Relay): Record<string, string> {
  return {
    SIGN_IN: 'code',
    SMTP_URL: relay.url(),
    MAIL_FROM: 'login@example.com',
    // Each visitor comes from an address of its own.
    TRUST_PROXY: 'loopback',
    MAILS_PER_HOUR: '100000',
    // Failures are what is tried here.
    LOG_LEVEL: 'fatal',
  };
}

/** Needs the whole machine, and is measured alone. */
export const crowds: Load[] = [
  {
    name: '2,000 in 13 s, relay takes 200 ms a mail',
    async run(stage, scale) {
      const relay = await stage.startRelay({ data: () => sleep(200) });
      const app = await stage.startApp(relay, fast);
      const owner = await newOwner(app.url, relay);
      const asking = askAll(app.url, newAddresses(2000 * scale), 2000 / 13);
      const goesOn = () => relay.accepted.length < 2000 * scale;
      const known = await timeOwner(owner, relay, { relayMs: 200, everyMs: 2000 * scale, goesOn });
      return settle(relay, await asking, known);
    },
  },
];

/** These are measured one after the other. */
export const restarts: Load[] = [
  restart('app killed twice, 1,000 queued', endTwice('SIGKILL')),
  restart('app stopped twice, 1,000 queued', endTwice('SIGTERM')),
  restart('one of two apps stopped, 1,000 queued', async (stage, relay, { app }) => {
    await stage.startApp(relay, fast);
    await app.stop('SIGTERM');
  }),
  restart('Redis killed twice, 1,000 queued, two apps', async (stage, relay) => {
    await stage.startApp(relay, fast);
    for (let times = 1; times <= 2; times += 1) {
      await stage.redis.kill();
      await sleep(1000);
      await stage.redis.start();
      await sleep(2000);
    }
  }),
];

/** These mostly wait, and are measured together. */
export const quietLoads: Load[] = [
  slowDomains('30 slow domains, from one client', 30),
  slowDomains('180 slow domains, from six clients', 180),
  {
    name: 'greylisting of 60 s',
    async run(stage, scale) {
      const firstAt = new Map<string, number>();
      const relay = await stage.startRelay({
        recipient: (to) => {
          const now = performance.now();
          const first = firstAt.get(to) ?? now;
          firstAt.set(to, first);
          if (now - first < 60_000 * scale) throw new SmtpReply(450, '4.2.0 greylisted');
        },
      });
      const app = await stage.startApp(relay);
      return settle(relay, await askAll(app.url, newAddresses(50), 50));
    },
  },
  ...[1, 2, 3].map((maxConnections) => ({
    name: `421 after ${maxConnections} of 5 connections`,
    async run(stage: Stage, scale: number) {
      const relay = await stage.startRelay({ maxConnections, data: () => sleep(20) });
      const app = await stage.startApp(relay, { ...fast, SMTP_CONNECTIONS: '5' });
      return settle(relay, await askAll(app.url, newAddresses(200 * scale), 50));
    },
  })),
  {
    name: '452 after 50 mails, for 30 s',
    async run(stage, scale) {
      let taken = 0;
      let freeAt = Number.POSITIVE_INFINITY;
      const relay = await stage.startRelay({
        recipient: () => {
          if (taken >= 50 * scale && performance.now() < freeAt) throw new SmtpReply(452, '4.3.1 quota exceeded');
        },
        data: () => {
          taken += 1;
          if (taken === Math.ceil(50 * scale)) freeAt = performance.now() + 30_000 * scale;
        },
      });
      const app = await stage.startApp(relay);
      return settle(relay, await askAll(app.url, newAddresses(150 * scale), 50));
    },
  },
  {
    name: 'relay dies in every tenth DATA',
    async run(stage, scale) {
      let taken = 0;
      const relay = await stage.startRelay({
        data: async (dying) => {
          taken += 1;
          if (taken % 10 !== 0) return;
          await dying.stop();
          await sleep(200);
          await dying.start();
          throw new SmtpReply(451, 'nobody receives this');
        },
      });
      const app = await stage.startApp(relay);
      return settle(relay, await askAll(app.url, newAddresses(100 * scale), 50));
    },
  },
];

function slowDomains(name: string, domains: number): Load {
  return {
    name,
    async run(stage, scale) {
      const relay = await stage.startRelay({
        recipient: async (to) => {
          if (!to.includes('slow')) return;
          await sleep(20_000);
          throw new SmtpReply(450, '4.4.1 no answer');
        },
      });
      const app = await stage.startApp(relay);
      const owner = await newOwner(app.url, relay);
      await askAll(app.url, newAddresses(Math.ceil(domains * scale), 'slow'), 60);
      const endsAt = performance.now() + 40_000 * scale;
      const stranger = askAll(app.url, [newAddress()], 1);
      const goesOn = () => performance.now() < endsAt;
      const known = await timeOwner(owner, relay, { relayMs: 0, everyMs: 2500 * scale, goesOn });
      return settle(relay, await stranger, known);
    },
  };
}

type Fail = (stage: Stage, relay: Relay, first: { app: RunningServer<string> }) => Promise<void>;

function endTwice(signal: 'SIGKILL' | 'SIGTERM'): Fail {
  return async (stage, relay, { app }) => {
    await app.stop(signal);
    const second = await stage.startApp(relay, fast);
    await sleep(2000);
    await second.stop(signal);
    await stage.startApp(relay, fast);
  };
}

/** Queues 1,000 mails while the relay is slow, lets a process fail once it is fast, and waits for all mail. */
function restart(name: string, fail: Fail): Load {
  return {
    name,
    isDurable: true,
    async run(stage, scale) {
      let relayMs = 2000;
      const relay = await stage.startRelay({ data: () => sleep(relayMs) });
      const app = await stage.startApp(relay, fast);
      const promised = await askAll(app.url, newAddresses(1000 * scale), 150);
      relayMs = 100;
      await fail(stage, relay, { app });
      return settle(relay, promised);
    },
  };
}

/** Waits for all codes that were promised, and a moment longer, in which a second copy would come. */
async function settle(relay: Relay, promised: Map<string, number>, known?: number[]): Promise<Row> {
  const codes = () => relay.accepted.filter(({ to, code }) => code !== undefined && promised.has(to));
  const lastAskAt = Math.max(...promised.values());
  await until(() => new Set(codes().map(({ to }) => to)).size === promised.size, lifeMs).catch(() => {});
  await sleep(2000);
  const times = new Map<string, number[]>();
  for (const { to, at } of codes()) times.set(to, [...(times.get(to) ?? []), at]);
  const waits = [...times].map(([to, [first = lastAskAt]]) => first - (promised.get(to) ?? 0));
  return {
    promised: promised.size,
    sent: times.size,
    doubled: [...times.values()].filter(({ length }) => length > 1).length,
    lost: promised.size - times.size,
    slowestSeconds: Math.max(0, ...waits) / 1000,
    knownSeconds: known && Math.max(...known),
  };
}
