import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { SessionSecrets } from '../../config.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, isRefusal, withDeadline } from '../../redis/deadline.ts';

/** The longest that browsers keep a cookie (RFC 6265bis, 5.5). */
export const cookieMaxAgeMs = 400 * 86_400_000;
const maxAddresses = 5;
const pair = String.raw`[\w-]{22}\.[\w-]{43}`;
const cookieShape = new RegExp(`^${pair}(?:\\.${pair}){0,${maxAddresses - 1}}$`);
const version = '1';
/** The owner of the address has not been told of the browser yet. */
export const pending = 'pending';

const confirmScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

type Device = { id: string; signature: string };

/**
 * Remembers which browsers an address has signed in with, by a cookie that holds, for each address, a random id of the
 * browser and a signature over it and the address. Being known grants nothing but counters of the browser's own, and
 * spares its owner the notice of a new browser. So it is known only once the mail server has accepted that notice:
 * whoever stops the mail must not stay unnoticed. An id that is not signed for the address counts as none: one that a
 * client chose, or that belongs to somebody else who shares the browser, would share their counters as well.
 */
export class KnownBrowsers {
  readonly #redis: RedisClient;
  readonly #secrets: SessionSecrets;

  constructor(redis: RedisClient, secrets: SessionSecrets) {
    this.#redis = redis;
    this.#secrets = secrets;
  }

  /**
   * The id by which a browser may be known to an address, if `isKnown()` agrees.
   * @param cookie what the browser sent
   * @param tag of the address
   */
  idIn(cookie: string | undefined, tag: string): string | undefined {
    return devicesIn(cookie).find((device) => this.#isSignedFor(device, tag))?.id;
  }

  /**
   * The browser's id in the cookie that is signed for this address, and whether it is known. Without such a cookie, Redis
   * is not asked. `isKnown` rejects with `RedisUnavailable`.
   */
  lookUp(cookie: string | undefined, tag: string): { candidate: string | undefined; isKnown: Promise<boolean> } {
    const candidate = this.idIn(cookie, tag);
    return { candidate, isKnown: candidate === undefined ? Promise.resolve(false) : this.isKnown(tag, candidate) };
  }

  /** The cookie that makes a browser known to one more address, the one used last first. */
  cookieWith(cookie: string | undefined, tag: string, id: string): string {
    const others = devicesIn(cookie).filter((device) => !this.#isSignedFor(device, tag));
    const latest = { id, signature: sign(id, tag, this.#secrets[0]) };
    const devices = [latest, ...others].slice(0, maxAddresses);
    return devices.map((device) => `${device.id}.${device.signature}`).join('.');
  }

  /**
   * Whether the owner of the address has been told of this browser, and has not made it forgotten since.
   * @throws {RedisUnavailable}
   */
  async isKnown(tag: string, id: string): Promise<boolean> {
    try {
      return (await withDeadline(deadlineMs, this.#redis.get(unknownKey(tag, id)))) === null;
    } catch (error) {
      if (isRefusal(error, /^WRONGTYPE /)) return false;
      throw error;
    }
  }

  /**
   * Keeps a new browser unknown until its notice has been accepted.
   * @throws {RedisUnavailable}
   */
  async awaitNotice(tag: string, id: string): Promise<void> {
    await this.#setUnknown(tag, id, pending);
  }

  /**
   * Makes a browser known whose notice the mail server has accepted, unless its owner has made it forgotten meanwhile.
   * @throws {RedisUnavailable}
   */
  async confirm(tag: string, id: string): Promise<void> {
    const step = this.#redis.eval(confirmScript, { keys: [unknownKey(tag, id)], arguments: [pending] });
    await withDeadline(deadlineMs, step);
  }

  /**
   * Makes a browser new to an address again: whoever signed in there, the next time is reported once more.
   * @throws {RedisUnavailable}
   */
  async forget(tag: string, id: string): Promise<void> {
    await this.#setUnknown(tag, id, version);
  }

  async #setUnknown(tag: string, id: string, value: string): Promise<void> {
    const expiration = { type: 'PX', value: cookieMaxAgeMs } as const;
    await withDeadline(deadlineMs, this.#redis.set(unknownKey(tag, id), value, { expiration }));
  }

  #isSignedFor({ id, signature }: Device, tag: string): boolean {
    // Both are of one length: see `cookieShape`.
    return this.#secrets.some((secret) => timingSafeEqual(Buffer.from(signature), Buffer.from(sign(id, tag, secret))));
  }
}

/** The id of a browser that is not known yet. */
export function newDeviceId(): string {
  return randomBytes(16).toString('base64url');
}

function devicesIn(cookie = ''): Device[] {
  if (!cookieShape.test(cookie)) return [];
  return (cookie.match(new RegExp(pair, 'g')) ?? []).map((text) => ({
    id: text.slice(0, 22),
    signature: text.slice(23),
  }));
}

/** The key that exists while a browser is not known, or not known any more. */
export function unknownKey(tag: string, id: string): string {
  return `d:{${tag}}${id}`;
}

function sign(id: string, tag: string, secret: string): string {
  return createHmac('sha256', secret).update(`device:${id}:${tag}`).digest('base64url');
}
