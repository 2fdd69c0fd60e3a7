import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask, signedIn, xhr } from '../support/client.ts';
import { countKeys } from '../support/commands.ts';
import { startFork } from '../support/fork.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const behindProxy = { BASE_URL: 'https://login.example.com', TRUST_PROXY: '1' };
const http = await startApp({ redisAddress });
const https = await startApp({ redisAddress, env: behindProxy });
const viaTls = { 'X-Forwarded-Proto': 'https' };

/** A Set-Cookie line as a browser reads it (RFC 6265), its attributes in lower case. */
function readCookie(line: string) {
  const [pair = '', ...attributes] = line.split('; ');
  return {
    name: pair.slice(0, pair.indexOf('=')),
    attributes: Object.fromEntries(
      attributes.map((attribute) => {
        const [name = '', value = true] = attribute.split('=');
        return [name.toLowerCase(), value];
      }),
    ),
  };
}

async function cookiesOf(visitor: Visitor, form: Record<string, string> = {}): Promise<string[]> {
  return (await visitor.signIn('ann@example.com', form)).setCookies;
}

// ASVS 3.3.1 to 3.3.5
describe('the session cookie', () => {
  test('is generic, kept from scripts and from other sites, and ends with the browser', async () => {
    const [line = '', ...more] = await cookiesOf(new Visitor(http.url));
    expect(more).toEqual([]);
    expect(readCookie(line)).toEqual({ name: 'session', attributes: { path: '/', httponly: true, samesite: 'Lax' } });
    expect(Buffer.byteLength(line)).toBeLessThan(4096);
  });

  test('is bound to this host and to TLS where the origin is https', async () => {
    const visitor = new Visitor(https.url, viaTls);
    const [line = '', ...more] = await cookiesOf(visitor);
    expect(more).toEqual([]);
    expect(readCookie(line)).toEqual({
      name: '__Host-session',
      attributes: { path: '/', httponly: true, samesite: 'Lax', secure: true },
    });
    expect((await visitor.get('/admin')).status).toBe(200);
  });

  test('lives as long as the session of somebody who asked to be kept signed in', async () => {
    for (const remember of ['on', 'anything else']) {
      const [line = ''] = await cookiesOf(new Visitor(http.url), { remember });
      const { expires, 'max-age': maxAge } = readCookie(line).attributes;
      if (remember !== 'on') {
        expect([expires, maxAge]).toEqual([undefined, undefined]);
        continue;
      }
      expect(Date.parse(String(expires)) - Date.now()).toBeCloseTo(14 * 86_400_000, -4);
      // With Expires alone, a client whose clock is wrong would lose the session at once.
      expect(Math.abs(Number(maxAge) - 14 * 86_400)).toBeLessThanOrEqual(1); // feature: cookie-max-age
    }
  });

  test('is cleared at logout, with the name and attributes that it was set with', async () => {
    const visitor = new Visitor(https.url, viaTls);
    await visitor.signIn('ann@example.com');
    const { setCookies } = await visitor.post('/logout');
    expect(setCookies.map(readCookie)).toEqual([
      {
        name: '__Host-session',
        attributes: {
          path: '/',
          httponly: true,
          samesite: 'Lax',
          secure: true,
          'max-age': '0', // feature: cookie-max-age
          expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
        },
      },
    ]);
  });

  test('is sent once: a visit sets none', async () => {
    const visitor = await signedIn(http.url);
    for (const path of ['/', '/admin', '/login', '/logout', '/nowhere']) {
      expect((await visitor.get(path)).setCookies).toEqual([]);
    }
  });
});

// ASVS 7.6.2
describe('visitors who only look', () => {
  const cookies = ['', 'session=', 'session=s%3Aforged.forged', `session=s%3A${'A'.repeat(38)}.forged`];

  test('get no cookie, and nothing is stored', async () => {
    const before = await countKeys(http.redis);
    for (const path of ['/', '/login', '/admin', '/logout', '/nowhere', '/livez', '/readyz', '/style.css']) {
      for (const cookie of cookies) {
        const { headers } = await ask(http.url, 'get', path).set('Cookie', cookie);
        expect({ path, cookie, set: headers['set-cookie'] }).toEqual({ path, cookie, set: undefined });
      }
    }
    await ask(http.url, 'post', '/logout').expect(303);
    await ask(http.url, 'post', '/login').type('form').send({ email: 'x' }).expect(422);
    expect(await countKeys(http.redis)).toBe(before);
  });

  test('get no cookie where express-session loads the sessions itself, and nothing is stored', async () => {
    const forkUrl = await startFork(http.redis, (fork) => fork.get('/', (_req, res) => void res.send('a page')));
    const before = await countKeys(http.redis);
    for (const cookie of cookies) {
      const { status, headers } = await ask(forkUrl, 'get', '/').set('Cookie', cookie);
      expect({ cookie, status, set: headers['set-cookie'] }).toEqual({ cookie, status: 200, set: undefined });
    }
    expect(await countKeys(http.redis)).toBe(before);
  });
});

// express-session#281: a secure cookie that is silently missing behind a proxy.
describe('a proxy that does not say how visitors come', () => {
  test('prevents signing in, and nothing is stored', async () => {
    const { url, redis } = await startApp({ redisAddress, env: behindProxy });
    const before = await countKeys(redis);
    const requests: [number, Record<string, string>][] = [
      [500, {}],
      [403, { 'X-Forwarded-Proto': 'http' }],
      [500, xhr],
    ];
    for (const [status, headers] of requests) {
      const answer = await ask(url, 'post', '/login').type('form').set(headers).send({ email: 'ann@example.com' });
      expect([answer.status, answer.headers['set-cookie']]).toEqual([status, undefined]);
      expect(answer.text).not.toContain('done');
    }
    expect(await countKeys(redis)).toBe(before);
  });

  test('is not believed when it is not the one that TRUST_PROXY names', async () => {
    const env = { ...behindProxy, TRUST_PROXY: '192.0.2.1' };
    const { url } = await startApp({ redisAddress, env });
    await ask(url, 'post', '/login').type('form').set(viaTls).send({ email: 'ann@example.com' }).expect(500);
  });

  test('without TRUST_PROXY, nobody can claim https', async () => {
    const [line = ''] = await cookiesOf(new Visitor(http.url, viaTls));
    expect(readCookie(line).name).toBe('session');
  });
});
