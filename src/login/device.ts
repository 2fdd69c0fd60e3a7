import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import type { SessionSecrets } from '../config.ts';
import { cookieAttributes, prefixedName, readCookie } from '../session/cookie.ts';

/** The longest that browsers keep a cookie (RFC 6265bis, 5.5). */
const keptMilliseconds = 400 * 86_400_000;
const mostAddresses = 5;
const shape = new RegExp(String.raw`^([\w-]{22})((?:\.[\w-]{43}){1,${mostAddresses}})$`);

/**
 * Remembers which browsers an address has signed in with: a cookie with a random id, and for each address a
 * signature over both. It grants nothing but the browser's own count of mails, and spares its owner the notice
 * of a new browser.
 */
export class Devices {
  readonly #secrets: SessionSecrets;
  readonly #https: boolean;

  constructor(secrets: SessionSecrets, https: boolean) {
    this.#secrets = secrets;
    this.#https = https;
  }

  /** The id of this browser, if the address has signed in with it before. */
  idFor(req: Request, email: string): string | undefined {
    const { id, signatures } = this.#read(req);
    const known = signatures.some((signature) =>
      this.#secrets.some((secret) => equal(signature, sign(id, email, secret))),
    );
    return known ? id : undefined;
  }

  /**
   * Notes that the address has signed in with this browser.
   * @param deviceId what it is known by already, if the code was asked for with it: who leaves the cookie out
   * afterwards must not get a second one, with counts of its own
   */
  remember(req: Request, res: Response, email: string, deviceId: string | undefined): void {
    const read = this.#read(req);
    const { id, signatures } = deviceId === undefined || deviceId === read.id ? read : { id: deviceId, signatures: [] };
    const own = this.#secrets.map((secret) => sign(id, email, secret));
    const others = signatures.filter((signature) => !own.includes(signature));
    const kept = [sign(id, email, this.#secrets[0]), ...others].slice(0, mostAddresses);
    res.cookie(this.#name, [id, ...kept].join('.'), { ...cookieAttributes(this.#https), maxAge: keptMilliseconds });
  }

  get #name(): string {
    return prefixedName('device', this.#https);
  }

  #read(req: Request): { id: string; signatures: string[] } {
    const [, id = '', signatures = ''] = shape.exec(readCookie(req, this.#name) ?? '') ?? [];
    if (id === '') return { id: randomBytes(16).toString('base64url'), signatures: [] };
    return { id, signatures: signatures.slice(1).split('.') };
  }
}

function sign(id: string, email: string, secret: string): string {
  return createHmac('sha256', secret).update(`device:${id}:${email}`).digest('base64url');
}

function equal(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
