import { isIP } from 'node:net';
import type { Request } from 'express';

/** Whether a request came straight from a proxy that `TRUST_PROXY` names, whose headers are believed. */
export function isFromProxy(req: Request): boolean {
  const trusts: (address: string | undefined, hop: number) => boolean = req.app.get('trust proxy fn');
  return trusts(req.socket.remoteAddress, 0);
}

/** Those of the trusted proxies that stand for several machines: each of them can forge `X-Forwarded-For`. */
export function findProxyRanges(trustProxy: number | string[] | false): string[] {
  return Array.isArray(trustProxy) ? trustProxy.filter(isRange) : [];
}

function isRange(proxy: string): boolean {
  // Whoever is on this machine is trusted with more than that.
  if (proxy === 'loopback' || proxy.startsWith('127.')) return false;
  const [address = '', bits] = proxy.split('/');
  return isIP(address) === 0 || (bits !== undefined && Number(bits) < (isIP(address) === 4 ? 32 : 128));
}
