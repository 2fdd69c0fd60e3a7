import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask, clients, type Method } from '../support/client.ts';
import { countKeys } from '../support/commands.ts';
import { connect } from '../support/process.ts';
import { testRedis } from '../support/test-redis.ts';

const redisAddress = await testRedis();
const { url, redis } = await startApp({ redisAddress });
const { port } = new URL(url);
const named = await startApp({ redisAddress, env: { BASE_URL: 'http://Dev.Example.test:3000', HOST: 'workstation' } });
const proxied = await startApp({ redisAddress, env: { TRUST_PROXY: '1' } });

function visit(app: string, host: string, headers: Record<string, string> = {}, method: Method = 'get', path = '/') {
  return ask(app, method, path).set({ ...clients.text, ...headers, Host: host });
}

/** What a browser may send for a page of a site whose name was made to resolve to this machine, and what comes near. */
const foreign = [
  ...['rebound.evil.example', `rebound.evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example'],
  ...[
    'evil-localhost',
    'localhost.evil',
    'localhosts',
    '1.2.3.4.nip.io',
    'workstation.evil.example',
    'dev.example.test',
  ],
  ...[
    'localhost@evil.example',
    'evil.example@localhost',
    'localhost#evil.example',
    'loc%61lhost',
    'evil.example#localhost',
    'evil.example/localhost',
    'evil.example\\localhost',
  ],
  ...[
    'localhost, evil.example',
    'localhost evil.example',
    'localhost..',
    '.localhost.evil',
    'xn--localhost-',
    '[',
    '%',
    '',
  ],
  ...['[::1].evil.example', '256.1.1.1', 'localhost:99999', 'ⓛocalhost', 'localhost%2eevil.example'],
];

describe('without https, a page', () => {
  test.each([
    ...['localhost', `localhost:${port}`, 'LOCALHOST:1', 'localhost.', 'app.localhost', 'a.b.localhost:8080'],
    ...['127.0.0.1', `127.0.0.1:${port}`, '127.8.9.1', '[::1]', `[::1]:${port}`, '[0:0:0:0:0:0:0:1]'],
    ...['192.168.1.7:3000', '10.0.0.1', '[fe80::1]', '[2001:db8::7]:3000'],
  ])('is served at this machine and at its addresses in the network: %s', async (host) => {
    await visit(url, host).expect(200);
  });

  test.each(foreign)('is refused under any other name: %j', async (host) => {
    const latin1 = /[^\0-\xff]/.test(host) ? Buffer.from(host).toString('latin1') : host;
    const { text } = await visit(url, latin1).expect(421);
    expect(text).toMatch(/localhost.*BASE_URL/);
    await visit(url, latin1, { 'X-Forwarded-Host': 'localhost', Origin: `http://${port}` }).expect(421);
  });

  test('is refused under another name by every method, and nothing is done', async () => {
    const before = await countKeys(redis);
    const signIn = visit(url, 'evil.example', {}, 'post', '/login').type('form').send({ email: 'ann@example.com' });
    expect((await signIn.expect(421)).headers['set-cookie']).toBeUndefined();
    for (const method of ['get', 'head', 'post', 'put', 'delete', 'options'] as const) {
      for (const path of ['/', '/login', '/logout', '/admin', '/nowhere']) {
        await visit(url, 'evil.example', {}, method, path).expect(421);
      }
    }
    expect(await countKeys(redis)).toBe(before);
  });

  test('is refused without a name', async () => {
    const { received, closed } = await connect(url, 'GET / HTTP/1.0\r\n\r\n');
    await closed;
    expect(received()).toMatch(/^HTTP\/1\.1 421 /);
  });

  test('is served under the names that the operator chose, at any port', async () => {
    for (const host of [
      'dev.example.test:3000',
      'dev.example.test',
      'DEV.example.TEST.:80',
      'workstation:3000',
      'localhost',
    ]) {
      await visit(named.url, host).expect(200);
    }
    for (const host of ['example.test:3000', 'evil.dev.example.test', 'my-workstation']) {
      await visit(named.url, host).expect(421);
    }
  });

  test('is served through a proxy only if both names are ours: a script can set all headers but Host', async () => {
    await visit(proxied.url, 'localhost', { 'X-Forwarded-Host': 'localhost:3000' }).expect(200);
    await visit(proxied.url, '127.0.0.1', { 'X-Forwarded-Host': 'rebound.evil.example' }).expect(421);
    await visit(proxied.url, 'rebound.evil.example', { 'X-Forwarded-Host': 'localhost' }).expect(421);
  });
});

test('a page says in a browser what to do', async () => {
  const { text } = await visit(url, 'evil.example', clients.html).expect(421);
  expect(text).toMatch(/<h1>This site does not answer to this host name\. Open it as localhost/);
});

test('development checks the host with https as well, since its port can also be reached without', async () => {
  const { url } = await startApp({ redisAddress, env: { BASE_URL: 'https://login.example.com', TRUST_PROXY: '1' } });
  await visit(url, 'login.example.com').expect(200);
  await visit(url, 'evil.example').expect(421);
});

test('production checks it without https, and leaves it to the certificate with https', async () => {
  const production = { production: true };
  const plain = await startApp({ redisAddress, env: { BASE_URL: 'http://localhost:3000' }, config: production });
  await visit(plain.url, 'localhost:3000').expect(200);
  await visit(plain.url, 'evil.example').expect(421);
  const env = { BASE_URL: 'https://login.example.com', TRUST_PROXY: '1' };
  const https = await startApp({ redisAddress, env, config: production });
  await visit(https.url, 'internal:3000').expect(200);
});
