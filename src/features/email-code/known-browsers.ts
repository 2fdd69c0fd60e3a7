import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import type { SessionSecrets } from '../../config.ts';
import { type RedisClient, withDeadline } from '../../redis/connect.ts';
import { cookieAttributes, prefixedName, readCookie } from '../../session/cookie.ts';
import { tagOf } from '../../session/record.ts';

/** The longest that browsers keep a cookie (RFC 6265bis, 5.5). */
const cookieMaxAgeMs = 400 * 86_400_000;
const maxAddresses = 5;
const shape = new RegExp(String.raw`^([\w-]{22})((?:\.[\w-]{43}){1,${maxAddresses}})$`);

type Device = { id: string; signatures: string[] };

/**
 * Remembers which browsers an address has signed in with: a cookie with a random id, and for each address a
 * signature over both. It grants nothing but counts of the browser's own, and spares its owner the notice of a new
 * browser.
 */
export class KnownBrowsers {
  readonly #redis: RedisClient;
  readonly #deadlineMs: number;
  readonly #secrets: SessionSecrets;
  readonly #https: boolean;

  constructor(redis: RedisClient, deadlineMs: number, secrets: SessionSecrets, https: boolean) {
    this.#redis = redis;
    this.#deadlineMs = deadlineMs;
    this.#secrets = secrets;
    this.#https = https;
  }

  /**
   * The id of this browser, if the address has signed in with it before and has not disowned it since.
   * @throws {RedisUnavailable}
   */
  async idFor(req: Request, email: string): Promise<string | undefined> {
    const device = this.#read(req);
    return this.#isSignedFor(device, email) ? this.rememberedId(device.id, email) : undefined;
  }

  /**
   * This id again, if the address has not disowned it.
   * @throws {RedisUnavailable}
   */
  async rememberedId(id: string, email: string): Promise<string | undefined> {
    const disowned = await withDeadline(this.#deadlineMs, this.#redis.get(forgottenKey(id, tagOf(email))));
    return disowned === null ? id : undefined;
  }

  /**
   * Makes a browser new to an address again: whoever it was that signed in there, the next time is told once more.
   * @param tag of the address
   * @throws {RedisUnavailable}
   */
  async forget(id: string, tag: string): Promise<void> {
    const expiration = { type: 'PX', value: cookieMaxAgeMs } as const;
    await withDeadline(this.#deadlineMs, this.#redis.set(forgottenKey(id, tag), '1', { expiration }));
  }

  /**
   * Notes that the address has signed in with this browser.
   * @param deviceId what it is known by already, if the code was asked for with it: who leaves the cookie out
   * afterwards must not get a second one, with counts of its own
   * @returns what it is known by now
   */
  remember(req: Request, res: Response, email: string, deviceId: string | undefined): string {
    const read = this.#read(req);
    const { id, signatures } = this.#toRemember(read, email, deviceId);
    const own = this.#secrets.map((secret) => sign(id, email, secret));
    const others = signatures.filter((signature) => !own.includes(signature));
    const kept = [sign(id, email, this.#secrets[0]), ...others].slice(0, maxAddresses);
    res.cookie(this.#name, [id, ...kept].join('.'), { ...cookieAttributes(this.#https), maxAge: cookieMaxAgeMs });
    return id;
  }

  #toRemember(read: Device, email: string, deviceId: string | undefined): Device {
    if (deviceId !== undefined && deviceId !== read.id) return { id: deviceId, signatures: [] };
    // Signed, and yet not known: it was disowned, and needs another id.
    return deviceId === undefined && this.#isSignedFor(read, email) ? newDevice() : read;
  }

  #isSignedFor({ id, signatures }: Device, email: string): boolean {
    return signatures.some((signature) => this.#secrets.some((secret) => equal(signature, sign(id, email, secret))));
  }

  get #name(): string {
    return prefixedName('device', this.#https);
  }

  #read(req: Request): Device {
    const [, id = '', signatures = ''] = shape.exec(readCookie(req, this.#name) ?? '') ?? [];
    if (id === '') return newDevice();
    return { id, signatures: signatures.slice(1).split('.') };
  }
}

function newDevice(): Device {
  return { id: randomBytes(16).toString('base64url'), signatures: [] };
}

function forgottenKey(id: string, tag: string): string {
  return `d:${tag}${id}`;
}

function sign(id: string, email: string, secret: string): string {
  return createHmac('sha256', secret).update(`device:${id}:${email}`).digest('base64url');
}

function equal(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
