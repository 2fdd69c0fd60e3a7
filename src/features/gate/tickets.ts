import { createHash, randomBytes } from 'node:crypto';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import type { Site } from './sites.ts';

const ticketSeconds = 60;

/** 128 random bits, in base64url. */
export function newRandom(): string {
  return randomBytes(16).toString('base64url');
}

/** Whether this could be one of ours. */
export function isRandom(text: unknown): text is string {
  return typeof text === 'string' && /^[\w-]{22}$/.test(text);
}

/** Names a browser to the login site: a hash of the mark in its start cookie, which it does not reveal. */
export function browserOf(mark: string): string {
  return createHash('sha256').update(mark).digest('base64url');
}

/** Whether this could name a browser. */
export function isBrowser(text: unknown): text is string {
  return typeof text === 'string' && /^[\w-]{43}$/.test(text);
}

/** What a ticket lets one browser do: open one site, for one session. */
type Ticket = { sessionId: string; browser: string; site: Site };

/** Tickets carry a sign-in from the login site to another one: once, within a minute. Redis holds hashes of them. */
export class Tickets {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /** @throws {RedisUnavailable} */
  async issue({ sessionId, browser, site }: Ticket): Promise<string> {
    const id = newRandom();
    const expiration = { type: 'EX', value: ticketSeconds } as const;
    const write = this.#redis.set(keyOf(id), `${sessionId} ${browser} ${site.origin}`, { expiration });
    await withDeadline(deadlineMs, write);
    return id;
  }

  /**
   * Uses a ticket up, whoever brings it.
   * @returns the session it was issued for; undefined when it is spent, for another site, or for another browser
   * @throws {RedisUnavailable}
   */
  async take(id: string, site: Site, mark: string | undefined): Promise<string | undefined> {
    const step = { keys: [keyOf(id)], arguments: [] };
    const ticket = await withDeadline(deadlineMs, this.#redis.eval("return redis.call('GETDEL', KEYS[1])", step));
    const [sessionId, browser, origin] = String(ticket).split(' ');
    const isTheirs = mark !== undefined && browser === browserOf(mark);
    return isTheirs && origin === site.origin ? sessionId : undefined;
  }
}

function keyOf(id: string): string {
  return `g:${createHash('sha256').update(id).digest('base64url').slice(0, 22)}`;
}
