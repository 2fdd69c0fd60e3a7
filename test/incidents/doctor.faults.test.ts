import { readFileSync } from 'node:fs'; // feature: private-ca
import { createServer, type RequestListener, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https'; // feature: private-ca
import { expect, test, vi } from 'vitest';
import { Keyspace } from '../../src/features/incidents/keyspace.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { afterwards } from '../support/afterwards.ts';
import { startApp } from '../support/app.ts';
import { freePort } from '../support/process.ts'; // feature: redis-checks
import { startRedisServer } from '../support/redis-server.ts';
import { writeCertificate } from '../support/redis-tls.ts'; // feature: private-ca
import { listenLocally } from '../support/servers.ts';

type Finding = { what: string; ok: boolean; detail?: string; problem?: string };

const redis = await startRedisServer('of-the-operator', ['--appendonly', 'yes']);
const app = await startApp({ redisAddress: { url: redis.url }, env: { TRUST_PROXY: '127.0.0.1' } });

/** What doctor finds with these settings, by what it has looked at. */
async function findings(env: Record<string, string>, url = redis.url) {
  const { json, text, exitCode } = await latchkeyOn(url, env)('doctor');
  const all = (json as { findings: Finding[] }).findings;
  const of = (what: string) => all.find((finding) => finding.what === what);
  return { of, text, exitCode, toDo: all.filter(({ ok }) => !ok).map(({ what }) => what) };
}

/** A proxy in front of the app that adds these headers to requests, and drops those of answers. */
async function startProxy(headers: Record<string, string>, dropped: string[] = [], to = app.url): Promise<string> {
  const server = createServer(passOn(headers, dropped, to));
  afterwards(() => server.close());
  return listenLocally(server);
}

function passOn(headers: Record<string, string>, dropped: string[], to = app.url): RequestListener {
  const { port } = new URL(to);
  return (req, res) => {
    if (/^\/(livez|readyz)/.test(req.url ?? '') && dropped.length === 0) return void res.writeHead(404).end();
    const { method, url: path } = req;
    const onward = request(
      { host: '127.0.0.1', port, method, path, headers: { ...req.headers, ...headers } },
      (answer) => {
        for (const name of dropped) delete answer.headers[name];
        res.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(res);
      },
    );
    onward.end();
  };
}

test('finds all well behind a proxy that does its part', async () => {
  const BASE_URL = await startProxy({ 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'http' });
  const { of, text, exitCode, toDo } = await findings({ BASE_URL, TRUST_PROXY: '127.0.0.1' });
  expect({ exitCode, toDo }).toEqual({ exitCode: 0, toDo: [] });
  expect(of('client address')?.detail).toContain('203.0.113.7');
  expect(of('Redis')?.detail).toMatch(/^single, version \d/);
  expect(of('mail server')?.detail).toBe('none: SMTP_URL is not set'); // feature: mail
  expect(text).toMatch(
    /^ok {4}settings: development, BASE_URL http:\/\/127\.0\.0\.1:\d+, SIGN_IN=trust\nok {4}Redis: /,
  );
});

test('finds all well behind a proxy on the same machine, which both send from one address', async () => {
  const BASE_URL = await startProxy({ 'X-Forwarded-For': '127.0.0.1' });
  const { of, toDo } = await findings({ BASE_URL, TRUST_PROXY: '127.0.0.1' });
  expect(toDo).toEqual([]);
  expect(of('client address')?.detail).toContain('127.0.0.1');
});

test('finds all well without a proxy, as in a trial, and asks nobody to block paths there', async () => {
  const { text, exitCode, toDo } = await findings({ BASE_URL: app.url });
  expect({ exitCode, toDo }).toEqual({ exitCode: 0, toDo: [] });
  expect(text).toContain('ok    health paths: not checked: TRUST_PROXY names no proxy');
});

test('notices a proxy that the app does not believe', async () => {
  const doubting = await startApp({ redisAddress: { url: redis.url }, env: { TRUST_PROXY: '203.0.113.1' } });
  const BASE_URL = await startProxy({ 'X-Forwarded-For': '203.0.113.7' }, [], doubting.url);
  const { of } = await findings({ BASE_URL, TRUST_PROXY: '203.0.113.1' });
  expect(of('client address')?.problem).toContain('is not believed: name its address in TRUST_PROXY');
});

// feature: private-ca
/** The same with TLS, as https://127.0.0.1 and a certificate that is its own CA. */
async function startTlsProxy(headers: Record<string, string>): Promise<{ origin: string; caFile: string }> {
  const { cert, key } = writeCertificate('127.0.0.1');
  const server = createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, passOn(headers, []));
  afterwards(() => server.close());
  return { origin: (await listenLocally(server)).replace('http:', 'https:'), caFile: cert };
}

test('trusts the CA in CA_FILE for the site, whose name may be an address', async () => {
  const warnings: Error[] = [];
  const collect = (warning: Error) => void warnings.push(warning);
  process.on('warning', collect);
  afterwards(() => process.off('warning', collect));
  const { origin, caFile } = await startTlsProxy({ 'X-Forwarded-For': '127.0.0.1', 'X-Forwarded-Proto': 'https' });
  const env = { BASE_URL: origin, TRUST_PROXY: '127.0.0.1' };
  const { of } = await findings({ ...env, CA_FILE: caFile });
  expect(of('certificate')).toMatchObject({ detail: expect.stringMatching(/^TLSv1\.3, valid for \d+ more days$/) });
  expect(of('health paths')?.ok).toBe(true);
  expect((await findings(env)).of('site')?.problem).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
  expect(warnings).toEqual([]);
});
// end: private-ca

test('says what a proxy leaves out, and how to put it right', async () => {
  const BASE_URL = await startProxy({}, ['content-security-policy']);
  const { of, exitCode, toDo, text } = await findings({ BASE_URL, TRUST_PROXY: '127.0.0.1' });
  expect({ exitCode, toDo }).toEqual({ exitCode: 1, toDo: ['client address', 'security headers', 'health paths'] });
  expect(of('client address')?.problem).toContain('configure it to send X-Forwarded-For');
  expect(of('security headers')?.problem).toBe(
    'content-security-policy is missing from the response: configure the proxy to pass it on',
  );
  expect(text).toMatch(/^TO DO health paths\n {6}visitors can read \/readyz/m);
});

test('notices that BASE_URL leads nowhere, or to another app', async () => {
  const nowhere = await findings({ BASE_URL: 'http://127.0.0.1:9' });
  expect(nowhere.of('site')?.problem).toMatch(/^it can't be reached from here \(.+\): check DNS/);
  const other = createServer((_req, res) => res.end('another app'));
  afterwards(() => other.close());
  const { of } = await findings({ BASE_URL: await listenLocally(other) });
  expect(of('site')?.problem).toContain('point BASE_URL at the app that uses this Redis');
});

test('takes no JSON of another app for an answer, and goes on after a check that fails', async () => {
  const other = createServer((_req, res) => res.setHeader('Content-Type', 'application/json').end('{"secure":true}'));
  afterwards(() => other.close());
  vi.spyOn(Keyspace.prototype, 'versions').mockRejectedValueOnce(new Error('no such node'));
  const { of, toDo } = await findings({ BASE_URL: await listenLocally(other) });
  expect(toDo).toEqual(['Redis', 'site']);
  expect(of('Redis')?.problem).toBe('it could not be checked: no such node');
  expect(of('site')?.problem).toMatch(/^it answered 200, and not as this app does/);
});

// feature: redis-checks
test('says why something could not be checked', async () => {
  const paused = await startRedisServer('of-the-operator', ['--appendonly', 'yes']);
  await paused.client((admin) => admin.sendCommand(['CLIENT', 'PAUSE', '60000', 'WRITE']));
  const { text } = await findings({}, paused.url);
  expect(text).toMatch(/the permissions of the Redis user could not be checked: Redis did not answer within/);
});
// end: redis-checks

// feature: redis-checks
test('says that REDIS_URL leads to the wrong kind of Redis', async () => {
  const bus = ['--cluster-port', String(await freePort())];
  const node = await startRedisServer('of-the-operator', ['--cluster-enabled', 'yes', ...bus]);
  const { of, exitCode } = await findings({}, node.url);
  expect(of('start')?.problem).toMatch(/^REDIS_URL names a node of a Cluster; /);
  expect(exitCode).toBe(1);
});
// end: redis-checks

test('says what is wrong with Redis: away, keeping nothing, or with a user who may not run the commands', async () => {
  const away = await findings({}, 'unix:///nowhere.sock');
  expect(away.of('Redis')?.problem).toMatch(/ENOENT.*check REDIS_URL/);
  expect(away.exitCode).toBe(1);

  // feature: redis-checks
  await redis.client((admin) => admin.configSet({ appendonly: 'no', save: '', 'maxmemory-policy': 'allkeys-lru' }));
  const { text } = await findings({});
  expect(text).toContain('set appendonly yes');
  expect(text).toContain('set maxmemory-policy noeviction');
  // end: redis-checks

  await redis.client((admin) =>
    admin.aclSetUser('app', ['reset', 'on', '>secret', '~*', '&*', '+@all', '-scan', '-unlink']),
  );
  const limited = await findings({}, `redis://app:secret@127.0.0.1:${redis.port}`);
  expect(limited.of('permissions of the commands')?.problem).toContain('+scan +unlink');
});

test.each([
  ['full', { maxmemory: '1', 'maxmemory-policy': 'noeviction' }, /Redis is full \(OOM\): raise maxmemory$/],
  ['without the replicas that it is to have', { 'min-replicas-to-write': '1' }, /\(NOREPLICAS .*\)$/],
])('says that Redis refuses writes: %s', async (_why, settings, reason) => {
  const refusing = await startRedisServer('of-the-operator', ['--appendonly', 'yes']);
  const isWell = (await findings({}, refusing.url)).of('writes to Redis');
  expect(isWell).toEqual({ what: 'writes to Redis', ok: true });
  await refusing.client((admin) => admin.configSet(settings));
  const { of, toDo, exitCode } = await findings({}, refusing.url);
  expect(of('writes to Redis')?.problem).toMatch(/^nobody can sign in: /);
  expect(of('writes to Redis')?.problem).toMatch(reason);
  expect([toDo, exitCode]).toEqual([['writes to Redis'], 1]);
});

// feature: redis-checks
test('says that persistence and eviction could not be checked, and whether that can be changed', async () => {
  const restricted = await startRedisServer('of-the-operator', [
    '--appendonly',
    'yes',
    '--rename-command',
    'CONFIG',
    '',
  ]);
  const hosted = await findings({}, restricted.url);
  expect(hosted.of('persistence and eviction')).toMatchObject({
    ...{ ok: true, detail: expect.stringMatching(/^not all could be checked \(ERR unknown command/) },
  });
  for (const command of ['-info', '-config']) {
    await redis.client((admin) => admin.aclSetUser('app', ['reset', 'on', '>secret', '~*', '&*', '+@all', command]));
    const { of, exitCode } = await findings({}, `redis://app:secret@127.0.0.1:${redis.port}`);
    const problem = 'they could not be checked: allow the Redis user +info +config|get';
    expect([of('persistence and eviction')?.problem, exitCode]).toEqual([problem, 1]);
  }
  expect((await findings({})).of('persistence and eviction')).toBeUndefined();
});
// end: redis-checks

test('nobody else gets an answer from the path that it asks', async () => {
  expect((await fetch(`${app.url}/doctor/${'x'.repeat(22)}`)).status).toBe(404);
});
