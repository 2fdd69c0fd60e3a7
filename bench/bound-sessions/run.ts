// npm run bench:bound-sessions -- [--rounds 5] [--requests 20000]
// What a page costs with a bound session, beside the same app without the feature: CPU time of the process, per request.
import { generateKeyPairSync, sign } from 'node:crypto';
import { parseArgs } from 'node:util';
import { publish, ratios, samples } from '../bench.ts';
import { startLoader } from '../load.ts';
import { startBenchRedis } from '../redis.ts';
import { email, type RunningServer, startServer } from '../servers.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, requests: { type: 'string', default: '20000' } },
});
const [rounds, requests] = [Number(values.rounds), Number(values.requests)];
const https = { 'X-Forwarded-Proto': 'https' };
const redis = await startBenchRedis();
const loader = startLoader();

try {
  const servers = await Promise.all([start('off'), start('auto')]);
  const measured: number[][] = [[], []];
  for (let round = -1; round < rounds; round += 1) {
    for (const [position, server] of servers.entries()) {
      const microseconds = await measure(server);
      // The first round only warms up.
      if (round >= 0) measured[position]?.push(microseconds);
    }
  }
  const [without = [], bound = []] = measured;
  publish('bound-sessions.md', [
    '# A page of a bound session',
    `Medians of ${rounds} rounds of ${requests} requests (least–most): CPU time of the app for a signed-in home page, on Node ${process.versions.node} and Redis ${redis.version}.`,
    {
      head: ['app', 'µs a page', 'of the first'],
      rows: [
        ['BOUND_SESSIONS=off', samples(without, 0), '1'],
        ['a bound session, with its bound cookie', samples(bound, 0), ratios(bound, without)],
      ],
    },
  ]);
  await Promise.all(servers.map(({ stop }) => stop()));
} finally {
  loader.stop();
  await redis.stop();
}

type Server = RunningServer & { cookie: string };

async function start(mode: 'auto' | 'off'): Promise<Server> {
  const env = { BASE_URL: 'https://login.example.com', TRUST_PROXY: '1', BOUND_SESSIONS: mode };
  const server = await startServer('latchkey', { node: process.execPath, redisUrl: redis.url, env });
  const answer = await post(`${server.url}/login`, {}, new URLSearchParams({ email }));
  const session = cookiesOf(answer);
  const invitation = /challenge="([^"]+)"/.exec(answer.headers.get('Secure-Session-Registration') ?? '')?.[1];
  if ((invitation === undefined) !== (mode === 'off')) throw new Error(`BOUND_SESSIONS=${mode} does not work`);
  if (invitation === undefined) return { ...server, cookie: session };
  const proof = { Cookie: session, 'Secure-Session-Response': registration(invitation) };
  return { ...server, cookie: `${session}; ${cookiesOf(await post(`${server.url}/bound-session/register`, proof))}` };
}

function registration(challenge: string): string {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const content = `${encode({ alg: 'ES256', typ: 'dbsc+jwt', jwk: { kty, crv, x, y } })}.${encode({ jti: challenge })}`;
  const signature = sign('sha256', Buffer.from(content), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${content}.${signature.toString('base64url')}`;
}

function post(url: string, headers: Record<string, string>, body?: URLSearchParams): Promise<Response> {
  return fetch(url, { method: 'POST', redirect: 'manual', headers: { ...https, ...headers }, ...(body && { body }) });
}

function cookiesOf({ headers }: Response): string {
  return headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
}

async function measure({ url, cookie, cpuMicroseconds }: Server): Promise<number> {
  const before = await cpuMicroseconds();
  const load = { url: `${url}/`, cookie, headers: https, expect: email, connections: 10, requests };
  const { requests: answered } = await loader.run(load);
  return ((await cpuMicroseconds()) - before) / answered;
}
