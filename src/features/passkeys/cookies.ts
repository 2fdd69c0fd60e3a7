import { randomBytes } from 'node:crypto';
import type { Request, Response } from 'express';
import { cookieAttributes, prefixedName } from '../../session/cookie.ts';
import { readCookie } from '../../shared/read-cookie.ts';

const browserShape = /^[\w-]{22}$/;
/** Longer than any challenge, so that a page that is left open can go on. */
const browserSeconds = 3600;
/** The longest that browsers keep a cookie (RFC 6265bis, 5.5). */
const offeredSeconds = 400 * 86_400;

/** The cookies of passkeys: a random value that binds challenges to a browser, and that it was offered a passkey. */
export class PasskeyCookies {
  readonly #https: boolean;

  constructor(https: boolean) {
    this.#https = https;
  }

  /** The value that this browser has. Only a script that found passkeys to work asks for one. */
  readBrowser(req: Request): string | undefined {
    const value = readCookie(req, this.#browserName);
    return value !== undefined && browserShape.test(value) ? value : undefined;
  }

  /** The same; a browser without one gets it. Tabs share it, so that one does not spoil the challenge of another. */
  ensureBrowser(req: Request, res: Response): string {
    const value = this.readBrowser(req) ?? randomBytes(16).toString('base64url');
    res.cookie(this.#browserName, value, { ...cookieAttributes(this.#https), maxAge: browserSeconds * 1000 });
    return value;
  }

  wasOffered(req: Request): boolean {
    return readCookie(req, this.#offeredName) !== undefined;
  }

  /** Remembers that this browser was offered a passkey, whatever comes of it. */
  noteOffered(res: Response): void {
    res.cookie(this.#offeredName, '1', { ...cookieAttributes(this.#https), maxAge: offeredSeconds * 1000 });
  }

  get #browserName(): string {
    return prefixedName('passkey', this.#https);
  }

  get #offeredName(): string {
    return prefixedName('passkey-offered', this.#https);
  }
}
