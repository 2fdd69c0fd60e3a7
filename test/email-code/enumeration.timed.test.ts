import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { clients, xhr } from '../support/client.ts';
import { startProcess, startServer } from '../support/process.ts';
import type { Visit } from '../support/visitor.ts';
import {
  askForCode,
  commandsWithoutMail,
  enterCode,
  exhaust,
  newAddress,
  newBrowser,
  outcomes,
  startCodeApp,
  untilKnown,
} from './code-login.ts';

// ASVS 6.3.8: who asks for a code learns nothing about the address, whether mail to it is sent or withheld.
const env = { ALLOWED_EMAILS: '@example.com', MAILS_PER_HOUR: '100000' };
const app = await startCodeApp({ env });
const enough = newAddress();
await exhaust(app, enough);

const kinds = ['may sign in', 'is not in ALLOWED_EMAILS', 'had enough for now'] as const;
type Kind = (typeof kinds)[number];

function newOfKind(kind: Kind): string {
  if (kind === 'had enough for now') return enough;
  return newAddress(kind === 'may sign in' ? 'example.com' : 'example.org');
}

/** All that a visit shows, but for what differs from visit to visit. */
function shown({ status, headers, text }: Visit, email: string) {
  const lines = [...headers]
    .filter(([name]) => name !== 'date' && name !== 'x-request-id')
    .map(([name, value]) => `${name}: ${value.replace(/^(login=)[^;]+/, '$1').replace(/(Expires=)[^;]+/, '$1')}`);
  return { status, headers: lines.sort(), text: text.replaceAll(email, 'ADDRESS') };
}

/** Everything that somebody without the mail can do, and what they see. */
async function walk(kind: Kind, headers: Record<string, string>) {
  const email = newOfKind(kind);
  const browser = newBrowser(app.url, headers);
  const visits = [await askForCode(browser, email), await browser.get('/login/code')];
  for (let tries = 1; tries <= 4; tries += 1) visits.push(await enterCode(browser, `0000000${tries}`));
  visits.push(await browser.post('/login/code/again'), await browser.get('/login/code?sent=again'));
  for (let tries = 1; tries <= 6; tries += 1) visits.push(await enterCode(browser, `0000000${tries}`));
  return visits.map((visit) => shown(visit, email));
}

describe.each(Object.entries({ ...clients, xhr }))('a client that reads %s (ASVS 6.3.8)', (_kind, headers) => {
  test('sees the same pages, statuses and headers for any address', async () => {
    const allowed = await walk('may sign in', headers);
    expect(allowed.map(({ status }) => status)).toContain(422);
    expect(await walk('is not in ALLOWED_EMAILS', headers)).toEqual(allowed);
    expect(await walk('had enough for now', headers)).toEqual(allowed);
  });
});

describe('the work behind an answer', () => {
  test('is the same Redis commands for any address (ASVS 6.3.8)', async () => {
    const work = async (kind: Kind) => {
      const email = newOfKind(kind);
      const browser = newBrowser(app.url);
      return {
        ask: await commandsWithoutMail(app, () => askForCode(browser, email)),
        page: await commandsWithoutMail(app, () => browser.get('/login/code')),
        wrong: await commandsWithoutMail(app, () => enterCode(browser, '00000000')),
        repeated: await commandsWithoutMail(app, () => enterCode(browser, '00000000')),
        again: await commandsWithoutMail(app, () => browser.post('/login/code/again')),
      };
    };
    const allowed = await work('may sign in');
    expect(allowed.ask.eval).toBeGreaterThan(0);
    expect(await work('is not in ALLOWED_EMAILS')).toEqual(allowed);
    expect(await work('had enough for now')).toEqual(allowed);
  });

  test('is the same once the mails of the hour are used up, for browsers that are new to their addresses (ASVS 6.3.8)', async () => {
    const small = await startCodeApp({ env: { ...env, MAILS_PER_HOUR: '1' }, mails: app.mails });
    const browser = newBrowser(small.url);
    const owner = newAddress();
    // feature: incidents
    // The first sign-ins of a process ask whether any network is blocked.
    const refused = () => newBrowser(small.url).post('/login', { form: { email: 'nobody' } });
    await expect.poll(() => commandsWithoutMail(small, refused)).not.toHaveProperty('exists');
    // end: incidents
    const first = await commandsWithoutMail(small, () => askForCode(browser, owner));
    await enterCode(browser, await small.mails.codeFor(owner));
    await untilKnown(small, owner);
    const second = await commandsWithoutMail(small, () => askForCode(newBrowser(small.url), newAddress()));
    await askForCode(browser, owner);
    expect(await outcomes(small, owner, 2)).toEqual({ mailed: 2, withheld: 0 });
    expect(second).toEqual(first);
  });

  // In a random order, and of a process of its own. The figure: how many of a hundred pairs, an address of each
  // kind, a stranger could tell apart by "the slower one got a mail"; 50 is pure guessing. With 200 of each kind
  // chance spreads it by 2.9, and leaves 35 to 65 less than once in a million runs. Were the mail sent before the
  // answer, it would be 100, and by the next request it was 99.5 while the mail was sent right after the answer. Mail
  // is on its way while others ask, as on a busy site. A stranger gets only five such answers an hour.
  test('takes equally long for any address, and so does the next request (ASVS 6.3.8)', {
    timeout: 120_000,
  }, async () => {
    // In a process of its own, because incoming mail would delay the clock here.
    const sink = startProcess({
      command: [process.execPath, fileURLToPath(new URL('./mail-sink.mjs', import.meta.url))],
    });
    await expect.poll(() => sink.logged('listening'), { timeout: 8000 }).toHaveLength(1);
    const quick = { SMTP_CONNECTIONS: '5', SMTP_MAILS_PER_MINUTE: '60000' };
    const server = await startServer({
      env: {
        ...env,
        ...quick,
        SIGN_IN: 'code',
        SMTP_URL: `smtp://127.0.0.1:${sink.logged('listening')[0]?.port}`,
        TRUST_PROXY: '1',
      },
    });
    for (let times = 1; times <= 5; times += 1) await askForCode(newBrowser(server.url()), enough);
    await expect.poll(() => server.logged('mail sent'), { timeout: 8000 }).toHaveLength(5);
    const clock = newBrowser(server.url());
    const second = newBrowser(server.url());
    await clock.get('/livez');
    await second.get('/login');

    const clocks = {
      'its own answer': (email: string) => askForCode(newBrowser(server.url()), email),
      'the next /livez': () => clock.get('/livez'),
      'a second visitor': () => second.get('/login'),
      '/livez, ten times': async () => {
        for (let times = 1; times <= 10; times += 1) await clock.get('/livez');
      },
    };
    const times = new Map<string, number[]>();
    for (const kind of inAnyOrder(kinds.flatMap((kind) => Array.from({ length: 200 }, () => kind)))) {
      const email = newOfKind(kind);
      for (const [name, wait] of Object.entries(clocks)) {
        const startedAt = performance.now();
        await wait(email);
        const measured = times.get(name + kind) ?? [];
        times.set(name + kind, [...measured, performance.now() - startedAt]);
      }
    }
    const told = Object.keys(clocks).flatMap((name) =>
      (['is not in ALLOWED_EMAILS', 'had enough for now'] as const).map((kind) => {
        const mailed = times.get(`${name}may sign in`) ?? [];
        return [`${name}, ${kind}`, pairsToldApart(mailed, times.get(name + kind) ?? [])] as const;
      }),
    );
    const apart = told.filter(([, pairs]) => Math.abs(pairs - 50) >= 15);
    expect(
      apart,
      `told apart, of 100: ${told.map(([name, pairs]) => `${name}: ${pairs.toFixed(1)}`).join('; ')}`,
    ).toEqual([]);
  });
});

function inAnyOrder<Item>(items: Item[]): Item[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** Mann and Whitney's U, as a part of a hundred. */
function pairsToldApart(slower: number[], faster: number[]): number {
  const told = slower.flatMap((slow) => faster.map((fast) => (slow > fast ? 1 : 0) as number));
  return (100 * told.reduce((sum, one) => sum + one, 0)) / told.length;
}
