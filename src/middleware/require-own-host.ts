import { isIP } from 'node:net';
import type { RequestHandler } from 'express';
import { HttpError } from '../http/http-error.ts';
import { parseUrl } from '../http/url.ts';

/**
 * Refuses requests for a host name that is not ours. Where no certificate proves the name, a foreign site can make its
 * own name resolve to this machine, and its pages then sign in and read here as their own (DNS rebinding). Own are
 * `localhost`, IP addresses, which no name server can turn into another machine, and the names that the operator chose.
 * @param names of `BASE_URL` and `HOST`
 * @throws {HttpError} 421 (RFC 9110, 15.5.20)
 */
export function requireOwnHost(...names: (string | undefined)[]): RequestHandler {
  const own = new Set(names.map((name) => name?.toLowerCase()));

  function isOwn(host: string | undefined): boolean {
    const hostname = hostnameOf(host);
    if (hostname === undefined) return false;
    return own.has(hostname) || /^(?:.+\.)?localhost$/.test(hostname) || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
  }

  return function refuseForeignHost(req, _res, next) {
    // A page's script can't set `Host`, but it can set the header by which a trusted proxy passes it on.
    if (isOwn(req.headers.host) && isOwn(req.host)) return next();
    next(
      new HttpError(
        421,
        'This site does not answer to this host name. Open it as localhost or by its IP address, or set BASE_URL to the address that you want to use.',
      ),
    );
  };
}

function hostnameOf(host: string | undefined): string | undefined {
  if (!host || /[^\w.:[\]-]/.test(host)) return undefined;
  // The dot at the end of a full domain name.
  return parseUrl(`http://${host}`)?.hostname.replace(/\.$/, '');
}
