import { setTimeout as sleep } from 'node:timers/promises';
import { Load } from '../support/load.ts';
import type { RedisServer } from '../support/redis-server.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import type { Journal } from './event-log.ts';
import type { Random } from './random.ts';

type Targets = { redis: RedisServer; links: TcpProxy[]; urls: string[]; journal: Journal };

type Strike = { redis: RedisServer; links: TcpProxy[]; lastsMs: number; random: Random };

/** The app knows a dead link after 2.25 s at the latest. One dead for under 250 ms could not be back 2 s later. */
const lastsMs = { least: 200, most: 4000 };
const calmMs = { least: 200, most: 4000 };
const allLinksChance = 0.3;
const mostRepetitions = 5;

const fullRedis = 'Redis full';
const readOnlyRedis = 'Redis a read-only replica';

const faults: Record<string, (strike: Strike) => Promise<void>> = {
  'link slow': async ({ links, lastsMs, random }) => {
    // Either every call is in time, with the seven that a sign-in may need, or none is.
    const delayMs = random.chance(0.7) ? random.between(20, 230) : random.between(1100, 1500);
    for (const link of links) link.delayMs = delayMs;
    await sleep(lastsMs);
    for (const link of links) link.delayMs = 0;
  },
  'link reset': ({ links, random }) => repeatedly(random, () => links.map((link) => link.reset())),
  'link reset in mid-reply': ({ links, random }) => repeatedly(random, () => links.map((link) => link.cutAnswer())),
  'link black-holed': async ({ links, lastsMs }) => {
    for (const link of links) link.blackHole();
    await sleep(lastsMs);
    for (const link of links) link.release();
  },
  'link held': async ({ links, lastsMs }) => {
    for (const link of links) link.hold();
    await sleep(lastsMs);
    for (const link of links) link.release();
  },
  'Redis killed and restarted': async ({ redis, lastsMs }) => {
    await redis.kill();
    await sleep(lastsMs);
    await redis.start();
  },
  'Redis frozen': async ({ redis, lastsMs }) => {
    redis.signal('SIGSTOP');
    await sleep(lastsMs);
    redis.signal('SIGCONT');
  },
  [fullRedis]: async ({ redis, lastsMs }) => {
    await command(redis, 'CONFIG', 'SET', 'maxmemory', '1');
    await sleep(lastsMs);
    await command(redis, 'CONFIG', 'SET', 'maxmemory', '0');
  },
  [readOnlyRedis]: async ({ redis, lastsMs }) => {
    await command(redis, 'REPLICAOF', '127.0.0.1', '1');
    await sleep(lastsMs);
    await command(redis, 'REPLICAOF', 'NO', 'ONE');
  },
  'CLIENT KILL of all': ({ redis, random }) =>
    repeatedly(random, () => command(redis, 'CLIENT', 'KILL', 'USER', 'default')),
  'SCRIPT FLUSH': ({ redis, random }) => repeatedly(random, () => command(redis, 'SCRIPT', 'FLUSH')),
};

/** How often it struck, and the longest that an app was away after it. */
type Figures = { times: number; 'slowest back ms': number };

/** Does harm, one fault after the other, and waits each time until all is well again. */
export class Faults {
  readonly figures = new Map<string, Figures>();
  readonly #targets: Targets;
  readonly #random: Random;
  /** Those whose turn it still is: each comes once before any comes again. */
  #left: string[] = [];

  constructor(targets: Targets, random: Random) {
    this.#targets = targets;
    this.#random = random;
  }

  async next(): Promise<void> {
    const { redis, urls, journal } = this.#targets;
    const random = this.#random.branch();
    if (this.#left.length === 0) this.#left = Object.keys(faults);
    const [name = ''] = this.#left.splice(random.between(0, this.#left.length - 1), 1);
    const oneLink = random.pick(this.#targets.links);
    const links = random.chance(allLinksChance) || !oneLink ? this.#targets.links : [oneLink];
    const refusesWrites = name === fullRedis || name === readOnlyRedis;

    journal.fault = name;
    journal.calmSince = undefined;
    if (refusesWrites) journal.untouchedUntil = Number.POSITIVE_INFINITY;
    await faults[name]?.({ redis, links, lastsMs: random.between(lastsMs.least, lastsMs.most), random });
    const backMs = Math.max(...(await Promise.all(urls.map((url) => new Load(url).untilServed()))));
    journal.calmSince = Date.now();
    if (refusesWrites) journal.untouchedUntil = journal.calmSince;

    const { times, 'slowest back ms': slowest } = this.figures.get(name) ?? { times: 0, 'slowest back ms': 0 };
    this.figures.set(name, { times: times + 1, 'slowest back ms': Math.max(slowest, Math.round(backMs)) });
    await sleep(random.between(calmMs.least, calmMs.most));
  }
}

async function repeatedly(random: Random, hit: () => unknown): Promise<void> {
  for (let count = random.between(1, mostRepetitions); count > 0; count -= 1) {
    await hit();
    await sleep(random.between(20, 200));
  }
}

async function command(redis: RedisServer, ...words: string[]): Promise<void> {
  await redis.client((client) => client.sendCommand(words));
}
