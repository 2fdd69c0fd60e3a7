import type { Request } from 'express';
import { isOnList } from '../../session/allow-list.ts';
import { prefixedName } from '../../session/cookie.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import type { SiteSetting } from './settings.ts';

/** A site behind the gate. */
export type Site = {
  origin: string;
  /** Whether visitors come by https: its cookies are then `Secure`, and bound to its host by their names. */
  https: boolean;
  /** Whether somebody who is signed in may enter. */
  admits: (email: EmailAddress) => boolean;
  /** The cookie of an open site. */
  cookie: string;
  /** The cookie of a browser that is on its way to log in. */
  startCookie: string;
};

/** The sites by their origins. */
export function openSites(settings: SiteSetting[]): ReadonlyMap<string, Site> {
  return new Map(
    settings.map(({ origin, visitors }) => {
      const https = origin.startsWith('https:');
      const admits = visitors ? isOnList(visitors) : () => true;
      const cookies = { cookie: prefixedName('latchkey', https), startCookie: prefixedName('latchkey-start', https) };
      return [origin, { origin, https, admits, ...cookies }];
    }),
  );
}

/**
 * Finds the site on whose host a request was made, by its name alone: hosts of sites are all different, and none is the
 * login site's. A request is for a site if either of the headers that name a host says so, as the second could be
 * a visitor's.
 */
export function siteFinder(sites: ReadonlyMap<string, Site>): (req: Request) => Site | undefined {
  const byHostname = new Map([...sites.values()].map((site) => [new URL(site.origin).hostname, site]));
  const findByHost = (host = '') => byHostname.get(host.toLowerCase().replace(/\.?(?::\d*)?$/, ''));
  return (req) => findByHost(req.host) ?? findByHost(req.headers.host);
}
