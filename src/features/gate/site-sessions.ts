import type { SessionData } from 'express-session';
import type { SessionSecrets } from '../../config.ts';
import { copyOf } from '../../shared/copy-of.ts';
import { distanceMs } from '../../shared/distance.ts';
import { isBindingInForce } from '../../shared/session-binding.ts';
import type { Assertions } from './assertions.ts';
import { Seal } from './seal.ts';
import type { Site } from './sites.ts';

/** How old an assertion may be when an app gets it. */
const assertionMaxAgeMs = 60_000;
/** About 10 MB when full. */
const maxOpened = 10_000;
/** Ours have 86 characters. */
const maxCookieLength = 128;

type Assertion = { email: string; madeAt: number; token: Promise<string> };

/** What a site's cookie stands for. */
export type SiteSession = {
  /** The session that opened the site; without it this one is worth nothing. */
  sessionId: string;
  site: Site;
  /** What the browser sends. */
  cookie: string;
  /** When the site was opened; milliseconds since the epoch. Of earlier versions' cookies, any number. */
  openedAt: number;
  assertion?: Assertion;
};

/**
 * For how long a site stays open to a session that is bound to a device. The site's own cookie is not bound, so a thief has
 * it for so long at most; the browser's next page load opens the site again, with proof.
 */
export const boundSiteSeconds = 3600;

/** Whether a site is still open to the session that has opened it. */
export function isStillOpen({ openedAt }: SiteSession, { binding }: Pick<SessionData, 'binding'>): boolean {
  return !isBindingInForce(binding) || distanceMs(openedAt) < boundSiteSeconds * 1000;
}

/**
 * The sessions of sites. They have no record: the cookie is sealed for its site, and holds the id of the session that
 * opened it. An app that keeps its visitors' cookies can't read them, and they fit no other site.
 */
export class SiteSessions {
  readonly #seal: Seal;
  readonly #assertions: Assertions;
  /** By cookie, the last used last. A cookie is here only after its seal held. */
  readonly #opened = new Map<string, SiteSession>();

  constructor(secrets: SessionSecrets, assertions: Assertions) {
    this.#seal = new Seal(secrets, 'gate site session');
    this.#assertions = assertions;
  }

  /** The cookie for a site that a session opens. */
  create(site: Site, sessionId: string): string {
    return this.#seal.seal(sessionId, site.origin);
  }

  /** The site session of a cookie; undefined when it is forged, or another site's. */
  open(site: Site, cookie: string): SiteSession | undefined {
    if (cookie.length > maxCookieLength) return undefined;
    const known = this.#opened.get(cookie);
    if (known) {
      this.#remember(known);
      return known.site === site ? known : undefined;
    }
    const sessionId = this.#seal.open(cookie, site.origin);
    if (sessionId === undefined) return undefined;
    const opened: SiteSession = { sessionId, site, cookie: copyOf(cookie), openedAt: this.#seal.sealedAt(cookie) };
    this.#remember(opened);
    return opened;
  }

  /** A signed statement of who is visiting; signed at most once a minute for each site session. */
  assertion(session: SiteSession, email: string): Promise<string> {
    const now = Date.now();
    const last = session.assertion;
    // After the clock was set back, an old one would otherwise be used until the clock had caught up with it.
    if (last?.email === email && Math.abs(now - last.madeAt) < assertionMaxAgeMs) return last.token;
    const token = this.#assertions.sign(email, session.site.origin);
    session.assertion = { email, madeAt: now, token };
    return token;
  }

  #remember(session: SiteSession): void {
    this.#opened.delete(session.cookie);
    this.#opened.set(session.cookie, session);
    if (this.#opened.size <= maxOpened) return;
    for (const leastUsed of this.#opened.keys()) {
      this.#opened.delete(leastUsed);
      return;
    }
  }
}
