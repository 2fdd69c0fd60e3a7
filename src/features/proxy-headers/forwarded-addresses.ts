import type { RequestHandler } from 'express';
import { isFromProxy } from '../../shared/from-proxy.ts';

const withPort = /(?<=^|,)\s*(?:([\d.]+):\d+|\[([\da-f:.]+)\](?::\d+)?)\s*(?=,|$)/gi;

/**
 * Leaves out the ports that some proxies append to the addresses in `X-Forwarded-For` (Azure, IIS). They differ from
 * connection to connection: with them, an address would be no proxy that `TRUST_PROXY` names, no client that a firewall
 * can ban by the log, and not the same client twice.
 */
export const readForwardedAddresses: RequestHandler = function readForwardedAddresses(req, _res, next) {
  const given = req.headers['x-forwarded-for'];
  if (given !== undefined && isFromProxy(req)) req.headers['x-forwarded-for'] = String(given).replace(withPort, '$1$2');
  next();
};
