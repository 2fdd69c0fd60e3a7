import { expect, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { type MailServer, startMailServer } from '../mail/mail-server.ts';
import { afterwards } from '../support/afterwards.ts';
import { startApp, type TestApp, type TestAppOptions } from '../support/app.ts';
import { countCommands, historyWrites, monitored, untilQuiet } from '../support/commands.ts';
import { testRedis } from '../support/test-redis.ts';
import { type Visit, Visitor } from '../support/visitor.ts';

export type CodeApp = TestApp & {
  mails: MailServer;
  /** What all apps of this file with the same Redis have logged of mail so far: they deliver each other's. */
  mailsLogged: TestApp['logged'];
};

/** The logs of the apps that share a Redis. */
const logs = new Map<string, TestApp['logged'][]>();

export const mailFrom = 'Latchkey <login@example.com>';

/**
 * The app with sign-in by code and a mail server. It believes one proxy, so that a test may come from anywhere, and
 * sends mail without the random delay. With three connections, a domain gets one of them, on which no code overtakes
 * another.
 */
export async function startCodeApp(options: TestAppOptions & { mails?: MailServer } = {}): Promise<CodeApp> {
  const mails = options.mails ?? (await startMailServer());
  const mail = { SMTP_URL: mails.url, MAIL_FROM: mailFrom, SMTP_CONNECTIONS: '3', SMTP_MAILS_PER_MINUTE: '60000' };
  const env = { TRUST_PROXY: '1', ...mail, ...options.env };
  const redisAddress = options.redisAddress ?? (await testRedis());
  const config = { mail: { ...readConfig({ NODE_ENV: 'test', ...env }).mail, maxDelayMs: 0 }, ...options.config };
  const app = await startApp({ ...options, redisAddress, env, config });
  const place = JSON.stringify(redisAddress);
  logs.set(place, [...(logs.get(place) ?? []), app.logged]);
  afterwards(() => logs.delete(place));
  const allLogged = () => (logs.get(place) ?? []).flatMap((logged) => logged());
  return { ...app, mails, mailsLogged: () => allLogged().filter(({ msg }) => msg === 'mail sent') };
}

let addresses = 0;
let clients = 0;

/** An address that nobody has used before. */
export function newAddress(domain = 'example.com'): string {
  addresses += 1;
  return `person-${String(addresses).padStart(5, '0')}@${domain}`;
}

/** An IPv4 address that nobody has come from before. */
export function newIp(): string {
  clients += 1;
  return `198.18.${clients >> 8}.${clients & 255}`;
}

/** Firefox on Linux, without cookies and from an address of its own. */
export function newBrowser(url: string, headers: Record<string, string> = {}): Visitor {
  const userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
  return new Visitor(url, { 'X-Forwarded-For': newIp(), 'User-Agent': userAgent, Accept: 'text/html', ...headers });
}

export function askForCode(browser: Visitor, email: string, form: Record<string, string> = {}): Promise<Visit> {
  return browser.post('/login', { form: { email, ...form } });
}

export function enterCode(browser: Visitor, code: string, headers: Record<string, string> = {}): Promise<Visit> {
  return browser.post('/login/code', { form: { code }, headers });
}

/** A browser in which an address of its own has asked for a code, and the code. */
export async function askedBrowser(
  { url, mails }: Pick<CodeApp, 'url' | 'mails'>,
  form: Record<string, string> = {},
): Promise<{ browser: Visitor; email: string; code: string }> {
  const [browser, email] = [newBrowser(url), newAddress()];
  await askForCode(browser, email, form);
  return { browser, email, code: await mails.codeFor(email) };
}

/** The hidden fields of a page, by their names. */
export function hiddenFields({ text }: Pick<Visit, 'text'>): Record<string, string> {
  const inputs = text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g);
  return Object.fromEntries([...inputs].map(([, name = '', value = '']) => [name, value]));
}

/**
 * Signs in; `count` says which of the codes for this address it is. With the app's Redis, waits until the browser is
 * known: the mail server has accepted the notice.
 */
export async function signInByCode(
  { mails, redis }: Pick<CodeApp, 'mails'> & Partial<Pick<CodeApp, 'redis'>>,
  browser: Visitor,
  email: string,
  options: { count?: number; form?: Record<string, string> } = {},
): Promise<Visit> {
  await askForCode(browser, email, options.form);
  const visit = await enterCode(browser, await mails.codeFor(email, options.count));
  if (visit.status !== 303) throw new Error(`the code was answered with ${visit.status}: ${visit.text}`);
  if (redis) await untilKnown({ redis }, email);
  return visit;
}

/** Waits until the mail server has accepted the notice of every new browser of this address. */
export async function untilKnown({ redis }: Pick<CodeApp, 'redis'>, email: string): Promise<void> {
  const areKnown = async () => {
    for (const key of await redis.keys(`d:{${tagOf(email)}}*`)) {
      if ((await redis.get(key)) === 'pending') throw new Error(`a browser of ${email} is not known yet`);
    }
  };
  await vi.waitFor(areKnown, { timeout: 10_000, interval: 5 });
}

/**
 * Waits until every mail that requests so far have caused is delivered, so that a test may say what did not come.
 * @public for the tests of features
 */
export async function noMoreMail({ redis }: Pick<CodeApp, 'redis'>): Promise<void> {
  await untilQuiet(redis);
  await expect.poll(() => redis.keys('{outbox}:mail:*'), { timeout: 10_000, interval: 5 }).toEqual([]);
}

type Logs = Pick<CodeApp, 'logged' | 'mailsLogged'>;
type Outcomes = { mailed: number; withheld: number };

/** Waits until it is decided what became of so many requests for a code, and counts them as {@link decided} does. */
export async function outcomes(app: Logs, email: string, wishes: number): Promise<Outcomes> {
  return vi.waitFor(
    () => {
      const { mailed, withheld } = decided(app, email);
      if (mailed + withheld !== wishes) throw new Error(`${mailed} mailed and ${withheld} withheld of ${wishes}`);
      return { mailed, withheld };
    },
    { timeout: 10_000, interval: 10 },
  );
}

/** How many codes for an address were sent, by any app with the same Redis, and how many this app has withheld. */
export function decided({ logged, mailsLogged }: Logs, email: string): Outcomes {
  const isAbout = ({ person }: Record<string, unknown>) => person === tagOf(email);
  return {
    mailed: mailsLogged().filter((line) => isAbout(line) && line.mail === 'code').length,
    withheld: logged().filter((line) => isAbout(line) && line.msg === 'code withheld').length,
  };
}

/** Uses up what strangers may have mailed to an address in an hour, each time from another place. */
export async function exhaust(app: CodeApp, email: string): Promise<void> {
  const { points } = rateLimits.mailsPerAddress[0];
  const { mailed, withheld } = decided(app, email);
  for (let wishes = 1; wishes <= points; wishes += 1) await askForCode(newBrowser(app.url), email);
  await vi.waitFor(
    () => {
      const now = decided(app, email);
      if (now.mailed + now.withheld < mailed + withheld + points) throw new Error('not all of it is decided');
    },
    { timeout: 10_000, interval: 10 },
  );
}

/**
 * How often Redis runs each command for this work; without the delivery of mail and the history of addresses, which are
 * written in the background, at any time.
 */
export async function commandsWithoutMail(
  { redis }: Pick<CodeApp, 'redis'>,
  work: () => Promise<unknown>,
): Promise<Record<string, number>> {
  return countCommands(await monitored(redis, work), [/\{outbox\}/, historyWrites]);
}

/** The keys of the sign-ins that wait in a browser, the latest first. */
export function challengeKeys(browser: Visitor): string[] {
  const cookie = browser.cookies.get('login') ?? browser.cookies.get('__Host-login') ?? '';
  return cookie.split('.').map((entry) => `c:{${entry.slice(0, 14)}}${entry.slice(14, 36)}`);
}

/** The counter of something that belongs to an address. */
export function counterKey(email: string, name: string): string {
  return `l:{${tagOf(email)}}${name}`;
}

/** A code that is not this one. */
export function wrongCode(code: string, offset = 1): string {
  return String((Number(code) + offset) % 10 ** code.length).padStart(code.length, '0');
}
