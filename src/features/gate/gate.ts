import { type RequestHandler, Router } from 'express';
import type { AdminSection, Core, Service } from '../../core.ts';
import { allowOnly } from '../../middleware/errors.ts';
import { giveRequestId } from '../../middleware/request-id.ts';
import type { PersonalKeys } from '../../shared/operations.ts';
import { Assertions } from './assertions.ts';
import { checks } from './checks.ts';
import { OpenedSites } from './opened-sites.ts';
import { offerFormTarget, pages, sitePages } from './pages.ts';
import { gateKeys } from './personal-keys.ts';
import { withoutHsts } from './site-page.ts';
import { SiteSessions } from './site-sessions.ts';
import { openSites } from './sites.ts';
import { Tickets } from './tickets.ts';

export type Gate = {
  /**
   * Answers the checks of proxies, and everything on the hosts of sites. Passes on all that is for the login site, whose
   * views can then name the site that a form leads on to.
   */
  serve: RequestHandler[];
  /** What requests on the hosts of sites pass first. */
  beforePages: Router;
  /** The keys by which apps verify who is visiting. */
  keys?: Router;
  /** What browsers visit on the login site. Without sites there is nothing. */
  pages?: Router;
  withoutHsts: typeof withoutHsts;
  personalKeys: PersonalKeys[];
  /** The sites that each of a visitor's sessions has opened. */
  adminSections: AdminSection[];
  /** Warns of settings that let others than the proxy ask the gate. */
  service: Service;
};

/** The gate in front of other sites: a reverse proxy asks it about every request. */
export function openGate(core: Core): Gate {
  const { config, secrets, redis, store, log, displayAddress, noteOutage } = core;
  const gate: Gate = {
    serve: [(_req, _res, next) => next()],
    beforePages: Router().use(giveRequestId),
    withoutHsts,
    personalKeys: gateKeys,
    adminSections: [],
    service: {},
  };
  const loginOrigin = config.origin;
  const sites = openSites(config.gate.sites);
  if (loginOrigin === undefined || sites.size === 0) return gate;

  const assertions = new Assertions(secrets, loginOrigin);
  const siteSessions = new SiteSessions(secrets, assertions);
  const openedSites = new OpenedSites(redis);
  gate.keys = Router();
  gate.keys
    .route('/.well-known/jwks.json')
    .get(async (_req, res) => {
      res.set('Cache-Control', 'public, max-age=300').json(await assertions.jwks());
    })
    .all(allowOnly('GET, HEAD'));
  const tickets = new Tickets(redis);
  const base = { sites, siteSessions, store, log, displayAddress, noteOutage, loginOrigin };
  const pagesOptions = { ...base, openedSites, tickets, config };
  gate.serve = [checks(base), sitePages(pagesOptions, gate.beforePages), offerFormTarget(pagesOptions)];
  gate.pages = pages(pagesOptions);
  gate.service.start = async () => {
    // Express believes the last hops then, whoever they are.
    if (typeof config.trustProxy !== 'number') return;
    log.warn(
      'TRUST_PROXY is a number: the gate believes whoever can reach PORT, so name the addresses of the proxies, or let nothing else reach it',
    );
  };
  gate.adminSections.push({
    view: 'gate/opened-sites',
    async load({ email, sessions }) {
      const handles = sessions.map(({ handle }) => handle);
      const sites = await openedSites.list(email, handles);
      return { opened: sessions.map((session, index) => ({ session, sites: sites[index] ?? [] })) };
    },
  });
  return gate;
}
