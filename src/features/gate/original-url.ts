import { parseUrl } from '../../http/url.ts';
import type { Site } from './sites.ts';

/** Room for the deep links that people share; proxies accept headers of a few kB, and these are encoded on the way. */
export const maxPathLength = 2000;

export type OriginalUrl = {
  site: Site;
  /**
   * Path and query as the proxy or the visitor wrote them, with bytes outside ASCII percent-encoded. Begins with a slash,
   * so it stays on the site when it is appended to its origin. Computed on access, since most checks never need it.
   */
  readonly path: string;
};

const shape = /^(https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?)(\/[!-~\x80-\xff]*)?$/i;

/**
 * Takes apart a URL that a proxy or a visitor named: the one place that decides which site it is on (ASVS 3.7.2).
 * `URL` decides, as in browsers: it lower-cases the host and drops a default port. Whatever browsers and proxies might
 * read differently is no URL here: userinfo, blanks (Node puts one between repeated headers), control characters, and
 * anything but ASCII letters, digits, dots, hyphens and underscores in the host name.
 * @param text absolute; bytes outside ASCII are characters up to U+00FF, as in Node's headers
 * @returns undefined when it is on none of the sites
 */
export function readOriginalUrl(text: string, sites: ReadonlyMap<string, Site>): OriginalUrl | undefined {
  const [, origin = '', rest = '/'] = shape.exec(text) ?? [];
  // Proxies usually write it as `URL` would.
  const site = sites.get(origin) ?? sites.get(parseUrl(origin)?.origin ?? '');
  return (
    site && {
      site,
      get path() {
        return asciiPath(rest);
      },
    }
  );
}

// Not as `URL` writes it: a path "/{a}" would come back as "/%7Ba%7D", which not every app takes for the same.
function asciiPath(rest: string): string {
  const [path = ''] = rest.split('#', 1);
  return path.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}

/**
 * The path and query of a site that a link asks for; its home page instead of anything else, of what is too long, and
 * of the gate's own pages, which would lead in a circle or straight out again.
 * @param wanted any value that a request may hold
 */
export function readPath(site: Site, wanted: unknown): string {
  if (typeof wanted !== 'string' || !wanted.startsWith('/')) return '/';
  const bytes = Buffer.from(wanted.replaceAll(' ', '%20')).toString('latin1');
  const { path = '/' } = readOriginalUrl(site.origin + bytes, new Map([[site.origin, site]])) ?? {};
  // As browsers will read it: without dots such as those of "/x/../.latchkey/", and with "/" for a backslash.
  const { pathname } = new URL(site.origin + path);
  return path.length > maxPathLength || /^\/+\.latchkey(?:\/|$)/i.test(pathname) ? '/' : path;
}
