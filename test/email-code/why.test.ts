import { expect, test, vi } from 'vitest';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { History } from '../../src/features/incidents/history.ts';
import { createLogger } from '../../src/log.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { personEvents } from '../../src/shared/person-events.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { startMailServer } from '../mail/mail-server.ts';
import { monitored, untilQuiet } from '../support/commands.ts';
import { read } from '../support/documents.ts';
import { testRedis } from '../support/test-redis.ts';
import {
  askForCode,
  enterCode,
  exhaust,
  newAddress,
  newBrowser,
  noMoreMail,
  signInByCode,
  startCodeApp,
} from './code-login.ts';

const redisAddress = await testRedis();
// What happens within 20 ms is written at once, so delivery takes longer.
const mails = await startMailServer({ onRcptTo: (_address, _session, done) => setTimeout(done, 50) });
const app = await startCodeApp({ redisAddress, mails, env: { ALLOWED_EMAILS: '@example.com' } });
const latchkey = latchkeyOn(`unix://${redisAddress.socketPath}`);

type Entry = { what: string; times: number; request: string; at: Date };

/** What happened to an address, the first thing first. */
async function historyOf(email: string): Promise<Entry[]> {
  const { events } = (await latchkey('why', email)).json as { events: Entry[] };
  return events.toReversed();
}

const whatOf = async (email: string) => (await historyOf(email)).map(({ what }) => what);

test('shows a sign-in from the request to the mail server, with the queue id and the request', async () => {
  const email = newAddress();
  await signInByCode(app, newBrowser(app.url), email);
  await vi.waitFor(async () => {
    expect(await whatOf(email)).toEqual([
      'code asked for',
      expect.stringMatching(/^mail delivered: code, (queue id \S+|reply 250)$/),
      expect.stringMatching(/^signed in: session \S{16}, from 198\.18\.\d+\.\d+$/),
      expect.stringMatching(/^mail delivered: notice, /),
    ]);
  }, 10_000);
  // feature: request-log
  const [asked] = await historyOf(email);
  expect(app.logged().find(({ id, msg }) => msg === 'request' && id === asked?.request)).toMatchObject({
    path: '/login',
  });
  // end: request-log
  expect((await latchkey('why', email)).text).toMatch(/^WHEN +WHAT +REQUEST\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC {2}\S/);
});

test('shows a mail that was delivered while the app stopped', async () => {
  let accept: (() => void) | undefined;
  const slow = await startMailServer({
    onRcptTo: (_address, _session, done) => {
      accept = done;
    },
  });
  const stopping = await startCodeApp({ mails: slow });
  const email = newAddress();
  await askForCode(newBrowser(stopping.url), email);
  await expect.poll(() => accept).toBeDefined();
  stopping.server.once('close', () => accept?.());
  await stopping.close();
  const entries = await new History(stopping.redis).read(tagOf(email));
  expect(entries.map(({ what }) => what)).toEqual([expect.stringMatching(/^mail delivered: code/), 'code asked for']);
});

test('says why no mail came, and why a code was refused', async () => {
  const stranger = newAddress('example.org');
  await askForCode(newBrowser(app.url), stranger);
  await vi.waitFor(
    async () => expect(await whatOf(stranger)).toEqual(['code withheld: not in ALLOWED_EMAILS']),
    10_000,
  );

  const busy = newAddress();
  await exhaust(app, busy);
  const browser = newBrowser(app.url);
  await askForCode(browser, busy);
  await enterCode(browser, '00000000');
  await vi.waitFor(async () => {
    // The mails before may be delivered meanwhile.
    const others = (await whatOf(busy)).filter((what) => !what.startsWith('mail delivered'));
    expect(others.slice(-2)).toEqual(['code withheld: enough mail for now', 'sign-in refused: wrong code']);
  }, 10_000);
  expect((await latchkey('why', newAddress())).text).toContain('Nothing has happened');
});

test('keeps 20 entries for seven days, in which a stranger who repeats the same takes one', async () => {
  const email = newAddress();
  await signInByCode(app, newBrowser(app.url), email);
  for (let tries = 0; tries < 25; tries += 1) await askForCode(newBrowser(app.url), email);
  await vi.waitFor(async () => {
    const withheld = (await historyOf(email)).filter(({ what }) => what === 'code withheld: enough mail for now');
    expect(withheld.map(({ times = 0 }) => times > 10)).toEqual([true]);
  }, 10_000);
  expect(await whatOf(email)).toContainEqual(expect.stringMatching(/^signed in: /));
  const key = `h:{${tagOf(email)}}`;
  expect(await app.redis.ttl(key)).toBeGreaterThan(7 * 86_400 - 60);
  const log = createLogger('silent');
  const history = new History(app.redis);
  const other = newAddress();
  history.start(log, 'full');
  for (let number = 0; number < 30; number += 1) {
    personEvents.publish({ log, person: tagOf(other), request: 'r', what: `thing ${number}` });
  }
  await history.stop();
  expect((await whatOf(other)).length).toBe(20);
  expect((await whatOf(other)).at(-1)).toBe('thing 29');
  expect((await app.redis.get(`h:{${tagOf(other)}}`))?.split('\n').length).toBe(21);
});

test('leaves nothing of a mail that was withheld but what was decided about it, and no address anywhere', async () => {
  const email = newAddress('example.org');
  await askForCode(newBrowser(app.url, { 'X-Forwarded-For': '198.18.77.77' }), email);
  await vi.waitFor(async () => expect(await whatOf(email)).toHaveLength(1), 10_000);
  // The decoy, which is written when the mail's turn comes, is gone within a second.
  await vi.waitFor(async () => expect(await app.redis.keys('h:*decoy')).toEqual([]), 10_000);
  const stored = await Promise.all((await app.redis.keys('h:*')).map((key) => app.redis.get(key)));
  expect(stored.join('\n').replace(/^.* signed in: .*$/gm, '')).not.toMatch(/@|198\.18\./);
});

test('what one client can leave there is bounded as the documentation says', async () => {
  const count = 10;
  const emails = Array.from({ length: count }, () => newAddress());
  for (const email of emails) {
    const browser = newBrowser(app.url);
    await askForCode(browser, email);
    await enterCode(browser, 'not a code');
    for (let tries = 0; tries < 6; tries += 1) await enterCode(browser, `0000000${tries}`);
    await vi.waitFor(async () => expect(await whatOf(email)).toHaveLength(5), 10_000);
  }
  const sizes = await Promise.all(emails.map((email) => app.redis.memoryUsage(`h:{${tagOf(email)}}`)));
  const perAddress = sizes.reduce((sum: number, bytes) => sum + Number(bytes), 0) / count;
  const [, { points: perDay }] = rateLimits.asksPerClient;
  // Entries of seven days, in windows of a day that may touch.
  const megabytes = (8 * perDay * perAddress) / 1e6;
  const documentation = read('docs/email-code.md').replace(/\s+/g, ' ');
  const [, client, site] =
    /kept for seven days: up to (\d+) MB for one client, and (\d+) MB for a \/48/.exec(documentation) ?? [];
  expect(megabytes).toBeLessThan(Number(client));
  expect(megabytes).toBeGreaterThan(Number(client) * 0.5);
  expect(Number(site)).toBe(4 * Number(client));
});

test.each(['example.com', 'example.org'])(
  'is written as often whether mail to an address is sent or withheld: %s (ASVS 6.3.8)',
  async (domain) => {
    const email = newAddress(domain);
    const lines = await monitored(app.redis, async () => {
      await askForCode(newBrowser(app.url), email);
      await noMoreMail(app);
      await untilQuiet(app.redis);
    });
    expect(
      lines.filter((line) => line.toLowerCase().includes(`"set" "h:{${tagOf(email)}}`.toLowerCase())),
    ).toHaveLength(2);
  },
);

test('a refused request leaves nothing behind, and keeps nothing longer', async () => {
  const client = { 'X-Forwarded-For': '198.18.255.4' };
  const known = newAddress();
  await askForCode(newBrowser(app.url, client), known);
  await vi.waitFor(async () => expect(await whatOf(known)).toHaveLength(2), 10_000);
  await app.redis.expire(`h:{${tagOf(known)}}`, 1000);
  await app.redis.set('l:ask:600:{198.18.255.4}', '30', { expiration: { type: 'EX', value: 600 } });
  const others = Array.from({ length: 3 }, () => newAddress());
  for (const email of [...others, known]) {
    expect((await askForCode(newBrowser(app.url, client), email)).status).toBe(429);
  }
  await vi.waitFor(async () => expect(await whatOf(known)).toContain('sign-in refused: too often'), 10_000);
  expect(await app.redis.ttl(`h:{${tagOf(known)}}`)).toBeLessThanOrEqual(1000);
  for (const email of others) expect(await app.redis.exists(`h:{${tagOf(email)}}`)).toBe(0);
});
