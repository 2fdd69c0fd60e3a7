import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Assertions } from '../../src/features/gate/assertions.ts';
import { Seal } from '../../src/features/gate/seal.ts';
import { SiteSessions } from '../../src/features/gate/site-sessions.ts';
import { openSites } from '../../src/features/gate/sites.ts';
import { newSessionId, tagOf } from '../../src/session/session-id.ts';
import { testSecret } from '../support/app.ts';
import { heapGrowth } from '../support/heap-growth.ts';
import { testRedis } from '../support/test-redis.ts';
import { GateBrowser, login, startGateApp, wiki } from './gate-app.ts';

const [site] = openSites([{ origin: wiki, visitors: undefined }]).values();
if (!site) throw new Error('there is no site');
const sessionId = newSessionId(tagOf('ann@example.com'));
const newSiteSessions = () => new SiteSessions([testSecret], new Assertions([testSecret], login));

/** Other texts that decode to the same bytes. */
function otherSpellings(text: string): string[] {
  const half = text.length / 2;
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const neighbours = [...last].map((character) => text.slice(0, -1) + character).filter((other) => other !== text);
  const bytes = Buffer.from(text, 'base64url');
  return [
    ...['!', '=', '.', ' ', '%', '"', '\u00e9', '!'.repeat(20), '!'.repeat(15_000)].flatMap((foreign) => [
      text + foreign,
      foreign + text,
      text.slice(0, half) + foreign + text.slice(half),
    ]),
    `${text}==`,
    bytes.toString('base64'),
    ...neighbours,
  ].filter((other) => other !== text && Buffer.from(other, 'base64url').equals(bytes));
}

test('the cookie of a site opens it in one spelling only', async () => {
  const siteSessions = newSiteSessions();
  const cookie = siteSessions.create(site, sessionId);
  const others = otherSpellings(cookie);
  expect(others.length).toBeGreaterThan(25);
  for (const isKnown of [false, true]) {
    for (const other of others) expect(siteSessions.open(site, other), `${isKnown} ${other}`).toBeUndefined();
    expect(siteSessions.open(site, cookie)).toMatchObject({ sessionId, site, cookie });
  }
});

test('what is sealed opens in one spelling only', () => {
  const seal = new Seal([testSecret], 'tests');
  // Of each length, as it decides how many bits of the last character are left over.
  for (const text of ['a', 'ab', 'abc', sessionId]) {
    const sealed = seal.seal(text, wiki);
    expect(seal.open(sealed, wiki)).toBe(text);
    for (const other of otherSpellings(sealed)) expect(seal.open(other, wiki), other).toBeUndefined();
  }
});

test('a proxy that asks with another spelling is told that nobody is signed in', async () => {
  const app = await startGateApp({ redisAddress: await testRedis() });
  const browser = new GateBrowser(app);
  await browser.openAs('ann@example.com', `${wiki}/`);
  const cookie = browser.cookies(wiki).get('__Host-latchkey') ?? '';
  const ask = (value: string) => browser.check(wiki, { headers: { Cookie: `__Host-latchkey=${value}` } });
  expect((await ask(cookie)).status).toBe(204);
  for (const other of [`${cookie}!`, `!${cookie}`, `${cookie}${'!'.repeat(8000)}`]) {
    expect((await ask(other)).status, other).toBe(401);
  }
});

describe('what is remembered', () => {
  const count = 1000;
  /** As it is cut out of a header. */
  const cutOut = (cookie: string) => {
    const header = `__Host-latchkey=${cookie}; ${randomBytes(4000).toString('hex')}`;
    return /=([^;]*)/.exec(header)?.[1] ?? '';
  };

  test('is the cookie, not the header that it came in, however often it comes', async () => {
    const siteSessions = newSiteSessions();
    const growth = await heapGrowth(() => {
      for (let number = 0; number < count; number += 1) {
        const cookie = siteSessions.create(site, newSessionId(tagOf(`${number}`)));
        for (let time = 0; time < 2; time += 1) expect(siteSessions.open(site, cutOut(cookie))).toBeDefined();
      }
    });
    // The headers alone have 8 kB each.
    expect(growth / count).toBeLessThan(2000);
    expect(siteSessions.open(site, siteSessions.create(site, sessionId))).toBeDefined();
  });
});
