import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import type { Core, Service } from '../../core.ts';
import { InsecureRequest } from '../../session/sign-in.ts';
import { isFromProxy } from '../../shared/from-proxy.ts';
import { readForwardedAddresses } from './forwarded-addresses.ts';
import { readForwardedScheme } from './forwarded-scheme.ts';
import { findProxyRanges } from './proxies.ts';

/** Reads what proxies say about a request, and tells the operator what they leave out. */
export function proxyHeaders({ config, log }: Core): {
  /** Comes before everything that reads `req.protocol` or `req.secure`. Empty where nothing has to be read. */
  read: RequestHandler[];
  /** The part of `read` that requests for other sites pass, too. */
  readAddresses: RequestHandler;
  /** Says in words of the settings why a sign-in failed because the request was not secure, for the log. */
  explain: ErrorRequestHandler;
  service: Service;
} {
  let warned = false;
  // Only a request can show that the proxy doesn't pass on the scheme (express-session#281).
  const warnIfInsecure: RequestHandler = function warnIfInsecure(req, _res, next) {
    if (!warned && !req.secure) {
      warned = true;
      const about = 'BASE_URL is https, but a request arrived as http, and nobody can sign in that way';
      log.warn({}, `${about}: ${explainInsecure(req)}`);
    }
    next();
  };

  async function warnOfRanges(): Promise<void> {
    const ranges = findProxyRanges(config.trustProxy);
    if (ranges.length === 0) return;
    log.warn(
      { ranges },
      'TRUST_PROXY: whoever has an address in these ranges can forge X-Forwarded-For; name a number of proxies, or their exact addresses',
    );
  }

  return {
    read: [
      ...(config.trustProxy === false ? [] : [readForwardedAddresses, readForwardedScheme(log)]),
      ...(config.https ? [warnIfInsecure] : []),
    ],
    readAddresses: readForwardedAddresses,
    explain(error, req, _res, next) {
      if (error instanceof InsecureRequest) {
        error.message = `BASE_URL is https, but this request arrived as http: ${explainInsecure(req)}`;
      }
      next(error);
    },
    service: { start: warnOfRanges },
  };
}

/** Why a request does not count as https, for the operator of a site that visitors reach by https. */
function explainInsecure(req: Request): string {
  if (!isFromProxy(req)) return `it came from ${req.socket.remoteAddress}, which TRUST_PROXY does not name`;
  const scheme = req.headers['x-forwarded-proto'];
  return scheme
    ? `the proxy says that the visitor came by ${scheme} (X-Forwarded-Proto)`
    : 'the proxy does not say how the visitor came: let it send X-Forwarded-Proto: https';
}
