import { setTimeout as sleep } from 'node:timers/promises';
import type { Relay } from './relay.ts';

let visitors = 0;
let addresses = 0;

/** An address that nobody has used, at a domain of its own. */
export function newAddress(domain = 'domain'): string {
  addresses += 1;
  return `person@${domain}-${addresses}.example`;
}

export function newAddresses(count: number, domain?: string): string[] {
  return Array.from({ length: count }, () => newAddress(domain));
}

/** The IP address of a client that nobody has been. */
export function newIp(): string {
  visitors += 1;
  return `10.${(visitors >> 16) & 255}.${(visitors >> 8) & 255}.${visitors & 255}`;
}

/** A browser with cookies, and an IP address of its own. */
export class Browser {
  readonly #cookies = new Map<string, string>();
  readonly #ip = newIp();
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** @returns when it was promised that the code is on its way */
  async askForCode(email: string): Promise<number> {
    await this.#post('/login', { email }, '/login/code');
    return performance.now();
  }

  async enterCode(code: string): Promise<void> {
    await this.#post('/login/code', { code }, '/admin');
  }

  /** The Cookie header. */
  get cookie(): string {
    return [...this.#cookies].map((pair) => pair.join('=')).join('; ');
  }

  async #post(path: string, form: Record<string, string>, next: string): Promise<void> {
    const { cookie } = this;
    const response = await fetch(this.#url + path, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'X-Forwarded-For': this.#ip, ...(cookie !== '' && { Cookie: cookie }) },
      body: new URLSearchParams(form),
    });
    await response.arrayBuffer();
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.#cookies.set(name, value);
    }
    const location = response.headers.get('Location');
    if (location !== next) throw new Error(`POST ${path} answered ${response.status}, ${location}`);
  }
}

/**
 * Asks for a code for each address, at a steady rate, each from a client of its own.
 * @returns when each code was promised; an address that got an error or no answer has none
 */
export async function askAll(url: string, emails: string[], perSecond: number): Promise<Map<string, number>> {
  const promised = new Map<string, number>();
  const startedAt = performance.now();
  await Promise.all(
    emails.map(async (email, position) => {
      await sleep(Math.max(0, startedAt + (position * 1000) / perSecond - performance.now()));
      const at = await new Browser(url).askForCode(email).catch(() => undefined);
      if (at !== undefined) promised.set(email, at);
    }),
  );
  return promised;
}

/** The owner of an address, whose browser is known to it. */
export type Owner = { browser: Browser; email: string };

/** Signs in, so that the browser is known once the notice is accepted. */
export async function newOwner(url: string, relay: Relay): Promise<Owner> {
  const email = newAddress('owner');
  const browser = new Browser(url);
  const mails = () => relay.accepted.filter(({ to }) => to === email);
  await browser.askForCode(email);
  await until(() => mails().length === 1, 30_000);
  await browser.enterCode(mails()[0]?.code ?? '');
  await until(() => mails().length === 2, 30_000);
  // The app records the acceptance.
  await sleep(500);
  return { browser, email };
}

/**
 * Asks for codes in a known browser, one after the other, while the load goes on.
 * @param relayMs the time that the relay takes for each mail
 * @returns how long each code took beyond that, in seconds after it was promised
 */
export async function timeOwner(
  { browser, email }: Owner,
  relay: Relay,
  options: { relayMs: number; everyMs: number; goesOn: () => boolean },
): Promise<number[]> {
  const { relayMs, everyMs, goesOn } = options;
  // More in an hour may be withheld.
  const maxAsks = 8;
  const seconds: number[] = [];
  while (goesOn() && seconds.length < maxAsks) {
    const before = relay.accepted.length;
    const promisedAt = await browser.askForCode(email).catch(() => undefined);
    if (promisedAt === undefined) {
      await sleep(200);
      continue;
    }
    const mail = () => relay.accepted.slice(before).find(({ to }) => to === email);
    await until(() => mail() !== undefined, 120_000);
    seconds.push(Math.max(0, (mail()?.at ?? 0) - promisedAt - relayMs) / 1000);
    await sleep(everyMs);
  }
  return seconds;
}

/** Waits until a condition holds. @throws {Error} after `withinMs` */
export async function until(holds: () => boolean, withinMs: number): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${withinMs} ms: ${holds}`);
    await sleep(10);
  }
}
