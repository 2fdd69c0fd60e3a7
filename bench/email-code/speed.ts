import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Closers, withCleanup } from '../../scripts/cleanup.ts';
import { median, ratios, samples, type Table } from '../bench.ts';
import { type RunningServer, startModule } from '../servers.ts';
import { startStageRedis } from './redis.ts';
import { Browser, newAddress } from './visitors.ts';

type Round = { milliseconds: number; cpuMicroseconds: number };

const rounds = 7;
const asksPerRound = 200;
/** In which the mails of a round are sent, whose CPU time counts. */
const drainMs = 2000;

/**
 * Measures `POST /login` of this version and of another, in turn, each with a Redis of its own and one mail server.
 * @param directory of the other version, built
 */
export async function measureSpeed(node: string, directory: string): Promise<(string | Table)[]> {
  const closers: Closers = [];
  return withCleanup(closers, async () => {
    const sink = spawn(process.execPath, [
      fileURLToPath(new URL('../../test/email-code/mail-sink.mjs', import.meta.url)),
    ]);
    closers.push(() => sink.kill());
    const [line] = await once(sink.stdout, 'data');
    const smtpUrl = `smtp://127.0.0.1:${JSON.parse(String(line)).port}`;
    const start = async (name: string, module: URL): Promise<RunningServer<string>> => {
      const redis = await startStageRedis({ isDurable: false });
      closers.push(redis.stop);
      const mail = { SIGN_IN: 'code', SMTP_URL: smtpUrl, MAIL_FROM: 'login@example.com', MAILS_PER_HOUR: '100000' };
      const fast = { SMTP_CONNECTIONS: '5', SMTP_MAILS_PER_MINUTE: '60000' };
      const server = await startModule(name, module, {
        node,
        redisUrl: redis.url,
        env: { ...mail, ...fast, TRUST_PROXY: 'loopback' },
      });
      closers.push(server.stop);
      return server;
    };
    const own = await start('this version', new URL('../../dist/server.js', import.meta.url));
    const other = await start('the other', new URL('dist/server.js', `${pathToFileURL(directory)}/`));
    for (const server of [own, other]) await measureRound(server);
    const measured = { own: [] as Round[], other: [] as Round[] };
    for (let round = 1; round <= rounds; round += 1) {
      measured.own.push(await measureRound(own));
      measured.other.push(await measureRound(other));
    }
    return report(measured);
  });
}

async function measureRound({ url, cpuMicroseconds }: RunningServer<string>): Promise<Round> {
  const before = await cpuMicroseconds();
  const times: number[] = [];
  for (let count = 1; count <= asksPerRound; count += 1) {
    const browser = new Browser(url);
    const startedAt = performance.now();
    times.push((await browser.askForCode(newAddress())) - startedAt);
  }
  await sleep(drainMs);
  return { milliseconds: median(times), cpuMicroseconds: ((await cpuMicroseconds()) - before) / asksPerRound };
}

function report({ own, other }: Record<'own' | 'other', Round[]>): (string | Table)[] {
  const row = (name: string, pick: (round: Round) => number, digits: number) => {
    const [ours, theirs] = [own.map(pick), other.map(pick)];
    return [name, samples(ours, digits), samples(theirs, digits), ratios(ours, theirs)];
  };
  return [
    `\`POST /login\` with a code mailed, ${rounds} rounds of ${asksPerRound} one after the other, in turn with the other version, medians (least–most):`,
    {
      head: ['what', 'this', 'other', 'ratio'],
      rows: [
        row('answer, median ms', ({ milliseconds }) => milliseconds, 2),
        row('CPU with the mail, µs', ({ cpuMicroseconds }) => cpuMicroseconds, 0),
      ],
    },
  ];
}
