import { isIP } from 'node:net';
import type { RequestHandler } from 'express';
import type { Config } from '../../config.ts';
import { HttpError } from '../../http/http-error.ts';
import { parseUrl } from '../../http/url.ts';

/**
 * Refuses requests for a host name that is not ours. Where no certificate proves the name, a foreign site can make its
 * own name resolve to this machine, and its pages then sign in and read here as their own (DNS rebinding). Allowed are
 * `localhost`, IP addresses, which no name server can turn into another machine, and the names that the operator chose
 * in `BASE_URL` and `HOST`. In production with https the certificate decides.
 */
export class AllowedHosts {
  readonly #names = new Set<string>();
  /** Nearly every request has the same one. */
  #lastAllowed: string | undefined;
  /** Whether a request can be for a host name that is not ours. */
  readonly isOn: boolean;

  constructor({ production, https, origin, host }: Config) {
    this.isOn = !production || !https;
    this.#names.add(host.toLowerCase());
    if (origin !== undefined) this.#names.add(new URL(origin).hostname);
  }

  /** @throws {HttpError} 421 (RFC 9110, 15.5.20) */
  readonly check: RequestHandler = (req, _res, next) => {
    // A page's script can't set `Host`, but it can set the header by which a trusted proxy passes it on.
    if (this.#allows(req.headers.host) && this.#allows(req.host)) return next();
    next(
      new HttpError(
        421,
        'This site does not answer to this host name. Open it as localhost or by its IP address, or set BASE_URL to the address that you want to use.',
      ),
    );
  };

  #allows(host: string | undefined): boolean {
    if (host !== undefined && host === this.#lastAllowed) return true;
    const name = hostnameOf(host);
    if (name === undefined) return false;
    const isAllowed =
      this.#names.has(name) || /^(?:.+\.)?localhost$/.test(name) || isIP(name.replace(/^\[|\]$/g, '')) !== 0;
    if (isAllowed) this.#lastAllowed = host;
    return isAllowed;
  }
}

function hostnameOf(host: string | undefined): string | undefined {
  if (!host || /[^\w.:[\]-]/.test(host)) return undefined;
  // The dot at the end of a full domain name.
  return parseUrl(`http://${host}`)?.hostname.replace(/\.$/, '');
}
