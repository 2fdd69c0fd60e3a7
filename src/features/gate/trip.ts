import { createHash } from 'node:crypto';
import type { Request } from 'express';
import { readCookie } from '../../shared/read-cookie.ts';
import { maxPathLength, readPath } from './original-url.ts';
import type { Site } from './sites.ts';
import { isBrowser, isRandom, newRandom } from './tickets.ts';

/** The way of one browser from a page of a site to the login site, and back to that page. */
export type Trip = {
  site: Site;
  /** Where it ends: the path and query in base64url, or a dot and a hash of a long one that the start cookie keeps. */
  to: string;
  /** Whether it failed once, and began again by itself. */
  isRetry: boolean;
  /** Names the browser; undefined where nothing has marked it yet. */
  browser: string | undefined;
};

/** What the start cookie of a site keeps: the browser's mark, and the last long path. */
export type Start = { mark: string; longPath: string };

/** In base64url, how much of a path the login page takes along: it returns to paths of at most 2,000 characters. */
const maxPathThroughLogin = 1200;
const maxEncodedPath = Math.ceil((maxPathLength * 4) / 3);

/** Where a trip begins, on the site; the path is as readable there as in a link that somebody writes by hand. */
export function startUrl(site: Site, path: string, options: { isRetry?: boolean } = {}): string {
  const to = (path.length > maxPathLength ? '/' : path).replace(/[%&#+]/g, encodeURIComponent);
  return `${site.origin}/.latchkey/start?to=${to}${options.isRetry ? '&retry=1' : ''}`;
}

/** Begins a trip. Tabs that begin one at the same time share the mark, or all but the last would have to begin again. */
export function beginTrip(req: Request, site: Site): { start: Start; to: string; isRetry: boolean } {
  const known = readStart(req, site);
  const encoded = Buffer.from(readPath(site, req.query.to)).toString('base64url');
  return {
    start: {
      mark: known?.mark ?? newRandom(),
      longPath: encoded.length > maxPathThroughLogin ? encoded : (known?.longPath ?? ''),
    },
    to: encoded,
    isRetry: req.query.retry !== undefined,
  };
}

/** What the start cookie of this browser keeps; undefined when it has none. */
export function readStart(req: Request, site: Site): Start | undefined {
  const [mark, longPath = ''] = (readCookie(req, site.startCookie) ?? '').split('.');
  return isRandom(mark) ? { mark, longPath } : undefined;
}

/** What a URL of `gatePath` or `enterUrl` says. */
export function readTrip(req: Request, site: Site): Trip {
  const { to, browser, retry } = req.query;
  return {
    site,
    to: typeof to === 'string' && /^\.?[\w-]+$/.test(to) && to.length <= maxEncodedPath ? to : '',
    isRetry: retry !== undefined,
    browser: isBrowser(browser) ? browser : undefined,
  };
}

/** The login site's part of a trip, by way of its login page. */
export function gatePathAfterLogin(trip: Trip): string {
  const to = trip.to.length > maxPathThroughLogin ? `.${hashOf(trip.to)}` : trip.to;
  return `${gatePath({ ...trip, to })}&after=login`;
}

/** Whether a trip comes from the login page, and the browser has not kept the cookie that it got there. */
export function hasLostCookie({ query, headers }: Request): boolean {
  return query.after === 'login' && headers.cookie === undefined;
}

/** The path where a trip ends; the home page if the login took too long, or another tab has brought a long path since. */
export function pathOf({ site, to }: Trip, start: Start | undefined): string {
  const longPath = start?.longPath ?? '';
  const encoded = to.startsWith('.') ? (to.slice(1) === hashOf(longPath) ? longPath : '') : to;
  return readPath(site, Buffer.from(encoded, 'base64url').toString());
}

/** The login site's part of a trip, a path there. */
export function gatePath({ site, browser, ...trip }: Trip): string {
  return `/gate?${new URLSearchParams({ site: site.origin, ...(browser && { browser }), ...query(trip) })}`;
}

/** The site to which a path of the login site leads on; undefined for all other pages. */
export function gateSiteOf(path: unknown, sites: ReadonlyMap<string, Site>): Site | undefined {
  if (typeof path !== 'string' || !path.startsWith('/gate?')) return undefined;
  return sites.get(new URLSearchParams(path.slice('/gate?'.length)).get('site') ?? '');
}

/** Where a trip comes back to the site. */
export function enterUrl({ site, ...trip }: Trip, ticket: string): string {
  return `${site.origin}/.latchkey/enter?${new URLSearchParams({ ticket, ...query(trip) })}`;
}

function query({ to, isRetry }: Pick<Trip, 'to' | 'isRetry'>) {
  return { to, ...(isRetry && { retry: '1' }) };
}

function hashOf(encodedPath: string): string {
  return createHash('sha256').update(encodedPath).digest('base64url').slice(0, 22);
}
