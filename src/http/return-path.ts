import type { Request } from 'express';
import { parseUrl } from './url.ts';

const fallback = '/admin';
const maxPathLength = 2000;
const nowhere = 'http://nowhere.invalid';

/**
 * Where to go after login: a path of this site, or `/admin` for anything else (ASVS 3.7.2). A URL parser decides, because
 * browsers take `/\evil`, tabs and `/.//evil` for another host.
 * @param wanted any value that a request may hold
 */
export function safeReturnPath(wanted: unknown): string {
  if (typeof wanted !== 'string' || !/^\/[^\\\p{Cc}]*$/u.test(wanted)) return fallback;
  const url = parseUrl(wanted, nowhere);
  if (!url) return fallback;
  const { origin, pathname, search, hash } = url;
  if (origin !== nowhere || pathname.startsWith('//')) return fallback;
  // Neither to the logout nor in a circle.
  if (/^\/log(?:in|out)(?:\/|$)/i.test(pathname)) return fallback;
  const path = pathname + search + hash;
  // Measured percent-encoded, which can be nine times as long: proxies accept headers of a few kB.
  return path.length > maxPathLength ? fallback : path;
}

/** Where a request went, as a link that leads to this site: a target may begin with two slashes, or name a host. */
export function pathOf(req: Request): string {
  return `/${req.originalUrl.replace(/^[/\\]+/, '')}`;
}
