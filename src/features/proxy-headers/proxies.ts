import { isIP } from 'node:net';

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
