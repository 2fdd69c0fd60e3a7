// npm run bench:live-tabs -- [--tabs 10000] [--idle 30] [--rounds 3]
// What open tabs cost one process: memory, CPU time and Redis commands while nothing happens, and how soon a tab hears of
// the end of its session among all the others. Every tab is of another session.
import { createConnection, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cookieName, sign } from '../../src/session/cookie.ts';
import { median, publish, samples } from '../bench.ts';
import { residentBytes } from '../process.ts';
import { addSession, type BenchRedis, startBenchRedis } from '../redis.ts';
import { type RunningServer, startServer } from '../servers.ts';

const { values } = parseArgs({
  options: {
    tabs: { type: 'string', default: '10000' },
    idle: { type: 'string', default: '30' },
    rounds: { type: 'string', default: '3' },
  },
});
const tabs = Number(values.tabs);
const idleSeconds = Number(values.idle);
const secret = 'a secret for the bench of 32 characters and more';
const goalMb = 150;
const goalMs = 2000;
const ends = 100;
const atOnce = 20;

type Tab = { socket: Socket; cookie: string; endedAt: number | undefined };

const redis = await startBenchRedis();
try {
  const rounds: Awaited<ReturnType<typeof measure>>[] = [];
  for (let round = 0; round < Number(values.rounds); round += 1) rounds.push(await measureRound());
  const of = (name: keyof (typeof rounds)[number], digits = 1) =>
    samples(
      rounds.map((round) => round[name]),
      digits,
    );
  const count = tabs.toLocaleString('en');
  publish('live-tabs.md', [
    `# ${count} open tabs on one process`,
    `${rounds.length} rounds on Node ${process.versions.node} and Redis ${redis.version}, each with a new process and ${count} sessions of as many addresses: the median, and from the least to the most. Memory is what the process takes of the machine (RSS) after a garbage collection, without what the kernel keeps for each connection.`,
    {
      head: ['', 'measured', 'goal'],
      rows: [
        ['memory without tabs, MB', of('withoutMb'), ''],
        ['memory for all tabs, right after the last was opened, MB', of('openedMb'), ''],
        [`memory for all tabs, ${idleSeconds} s later, MB`, of('laterMb'), `at most ${goalMb}`],
        ['of that on the heap, kB per tab', of('heapKb'), ''],
        [`Redis commands in ${idleSeconds} s because of the tabs`, of('commands', 0), 'at most 0'],
        [`CPU time in ${idleSeconds} s without tabs, ms`, of('cpuWithoutMs', 0), ''],
        [`CPU time in ${idleSeconds} s with all tabs, ms`, of('cpuMs', 0), ''],
        ['tabs that were still open then', of('stillOpen', 0), String(tabs)],
        [`from a logout to its tab, median of ${ends}, ms`, of('delayMs'), ''],
        ['the slowest of them, ms', of('slowestMs'), `at most ${goalMs}`],
      ],
    },
  ]);
  const isMissed = rounds.some(
    ({ laterMb, commands, stillOpen, slowestMs }) =>
      laterMb > goalMb || commands > 0 || stillOpen < tabs || slowestMs > goalMs,
  );
  if (isMissed) process.exitCode = 1;
} finally {
  await redis.stop();
}

async function measureRound() {
  await redis.client.flushAll();
  const server = await startServer('latchkey', {
    node: process.execPath,
    redisUrl: redis.url,
    nodeFlags: ['--expose-gc'],
    env: { SESSION_SECRET: secret, LIVE_TABS_MAX: String(tabs) },
  });
  try {
    return await measure(server);
  } finally {
    await server.stop();
  }
}

async function measure(server: RunningServer) {
  const cookies = await addSessions(redis);
  // What the first requests load stays, with or without tabs.
  for (const cookie of cookies.slice(0, 200)) await visit(server, cookie);
  const alone = await idle(server);
  const before = await memoryOf(server);
  const open: Tab[] = [];
  for (let first = 0; first < tabs; first += atOnce) {
    open.push(...(await Promise.all(cookies.slice(first, first + atOnce).map((cookie) => openTab(server, cookie)))));
  }
  await sleep(2000);
  const opened = await memoryOf(server);
  const idled = await idle(server);
  // What opening them has left to the heap, V8 gives back meanwhile.
  const later = await memoryOf(server);
  const stillOpen = open.filter(({ socket }) => !socket.destroyed).length;
  const delays: number[] = [];
  for (const tab of open.slice(0, ends)) delays.push(await endOf(server, tab));
  for (const { socket } of open) socket.destroy();
  return {
    withoutMb: before.rss / 1e6,
    openedMb: (opened.rss - before.rss) / 1e6,
    laterMb: (later.rss - before.rss) / 1e6,
    heapKb: (later.heap - before.heap) / tabs / 1000,
    commands: idled.commands,
    cpuWithoutMs: alone.cpu / 1000,
    cpuMs: idled.cpu / 1000,
    stillOpen,
    delayMs: median(delays),
    slowestMs: Math.max(...delays),
  };
}

/** What a process does while nothing happens. Its own comparison of clocks, once a minute, is left out. */
async function idle(server: RunningServer): Promise<{ commands: number; cpu: number }> {
  const count = async () => (await redis.commands()) - (await timeCommands());
  const [commands, cpu] = [await count(), await server.cpuMicroseconds()];
  await sleep(idleSeconds * 1000);
  return { commands: (await count()) - commands, cpu: (await server.cpuMicroseconds()) - cpu };
}

async function timeCommands(): Promise<number> {
  return Number(/cmdstat_time:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? 0);
}

/** Sessions, each of another address. @returns their cookies */
async function addSessions({ client }: BenchRedis): Promise<string[]> {
  const pipeline = client.multi();
  const ids = Array.from({ length: tabs }, (_, number) => addSession(pipeline, `visitor${number}@example.com`));
  await pipeline.execAsPipeline();
  return ids.map((id) => `${cookieName(false)}=${encodeURIComponent(sign(id, secret))}`);
}

async function visit({ url }: RunningServer, cookie: string): Promise<void> {
  const text = await (await fetch(`${url}/`, { headers: { cookie } })).text();
  if (!text.includes('You are signed in')) throw new Error('the session is not taken');
}

async function memoryOf(server: RunningServer): Promise<{ rss: number; heap: number }> {
  const heap = await server.heapUsed();
  return { rss: residentBytes(server.pid), heap };
}

/** Sends what a browser sends, and resolves once the stream has named the owner. */
function openTab({ url }: RunningServer, cookie: string): Promise<Tab> {
  const { host, hostname, port } = new URL(url);
  const head = [
    'GET /session-events HTTP/1.1',
    `Host: ${host}`,
    'Connection: keep-alive',
    'sec-ch-ua: "Chromium";v="156", "Not)A;Brand";v="8"',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
    'sec-ch-ua-mobile: ?0',
    'Accept: text/event-stream',
    'Cache-Control: no-cache',
    'Sec-Fetch-Site: same-origin',
    'Sec-Fetch-Mode: cors',
    'Sec-Fetch-Dest: empty',
    `Referer: ${url}/admin`,
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept-Language: en-GB,en;q=0.9',
    `Cookie: ${cookie}`,
  ];
  return new Promise((done, fail) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    const tab: Tab = { socket, cookie, endedAt: undefined };
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      if (text.includes('data: nobody')) tab.endedAt = performance.now();
      else if (text.includes('data: ')) done(tab);
      else if (/^HTTP\/1.1 (?!200)/.test(text)) fail(new Error(text.split('\r\n', 1)[0]));
    });
    socket.on('error', fail);
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
  });
}

/** How long after the logout was sent the tab has heard of it, in milliseconds. */
async function endOf({ url }: RunningServer, tab: Tab): Promise<number> {
  const startedAt = performance.now();
  await fetch(`${url}/logout`, { method: 'POST', redirect: 'manual', headers: { cookie: tab.cookie } });
  while (tab.endedAt === undefined) {
    if (performance.now() - startedAt > 2 * goalMs) return Number.POSITIVE_INFINITY;
    await sleep(1);
  }
  return tab.endedAt - startedAt;
}
