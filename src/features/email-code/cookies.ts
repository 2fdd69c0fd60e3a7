import type { Request, Response } from 'express';
import { safeReturnPath } from '../../http/return-path.ts';
import { cookieAttributes, prefixedName } from '../../session/cookie.ts';
import { tagIn } from '../../session/session-id.ts';
import { readCookie } from '../../shared/read-cookie.ts';
import { codeSeconds } from './challenges.ts';
import { cookieMaxAgeMs } from './known-browsers.ts';

/** A sign-in that waits in this browser, and where it leads. */
export type WaitingEntry = { id: string; next: string };

const maxWaiting = 5;
/** Of all but the latest; a browser takes 4,096 bytes, attributes included (RFC 6265bis, 5.5). */
const maxEncodedNext = 280;
const entryShape = /^([\w-]{36})(?:~([\w-]+))?$/;

/** The cookies of sign-in by code: which sign-ins wait in a browser, and what addresses it is known to. */
export class CodeCookies {
  readonly #https: boolean;

  constructor(https: boolean) {
    this.#https = https;
  }

  /** The sign-ins that this browser asked for, the latest first, at most one for each address. */
  readWaiting(req: Request): WaitingEntry[] {
    const entries = readCookie(req, this.#loginName)?.split('.') ?? [];
    return entries.slice(0, maxWaiting).flatMap((entry) => {
      const [, id, encoded] = entryShape.exec(entry) ?? [];
      if (id === undefined) return [];
      const next = encoded && Buffer.from(encoded, 'base64url').toString();
      return [{ id, next: safeReturnPath(next) }];
    });
  }

  /** The sign-in that this browser asked version 0.1 for: the random part of its id, and nothing else. */
  readEarlier(req: Request): string | undefined {
    const value = readCookie(req, this.#loginName);
    return value !== undefined && /^[\w-]{22}$/.test(value) ? value : undefined;
  }

  /** Lets the rest of this request find a sign-in in place of that one. */
  replaceEarlier(req: Request, { id, next }: WaitingEntry): void {
    const cookie = `${this.#loginName}=${id}${encodeNext(next, true)}`;
    req.headers.cookie = (req.headers.cookie ?? '').replace(`${this.#loginName}=${id.slice(-22)}`, () => cookie);
  }

  /** Adds a sign-in, in place of another for the same address. The oldest makes way. */
  addWaiting(req: Request, res: Response, entry: WaitingEntry): void {
    const others = this.readWaiting(req).filter(({ id }) => tagIn(id) !== tagIn(entry.id));
    this.#writeWaiting(res, [entry, ...others].slice(0, maxWaiting));
  }

  /** Takes out the sign-ins of these addresses, given by their tags. */
  removeWaiting(req: Request, res: Response, tags: readonly string[]): void {
    this.#writeWaiting(
      res,
      this.readWaiting(req).filter(({ id }) => !tags.includes(tagIn(id))),
    );
  }

  readDevice(req: Request): string | undefined {
    return readCookie(req, this.#deviceName);
  }

  writeDevice(res: Response, value: string): void {
    res.cookie(this.#deviceName, value, { ...cookieAttributes(this.#https), maxAge: cookieMaxAgeMs });
  }

  #writeWaiting(res: Response, entries: WaitingEntry[]): void {
    const attributes = cookieAttributes(this.#https);
    if (entries.length === 0) {
      res.clearCookie(this.#loginName, attributes);
      return;
    }
    const value = entries.map(({ id, next }, position) => id + encodeNext(next, position === 0)).join('.');
    res.cookie(this.#loginName, value, { ...attributes, maxAge: codeSeconds * 1000 });
  }

  get #loginName(): string {
    return prefixedName('login', this.#https);
  }

  get #deviceName(): string {
    return prefixedName('device', this.#https);
  }
}

function encodeNext(next: string, isLatest: boolean): string {
  if (next === safeReturnPath(undefined)) return '';
  const encoded = Buffer.from(next).toString('base64url');
  return isLatest || encoded.length <= maxEncodedNext ? `~${encoded}` : '';
}
