import * as z from 'zod';
import { isHost, parseUrl } from '../../http/url.ts';
import { readAllowListEntry } from '../../session/allow-list.ts';
import { featureSettings } from '../../settings/feature.ts';
import { optional } from '../../settings/setting.ts';
import type {} from '../../shared/redis-permissions.ts';
import { NotRegularFile, readRegularFile } from '../../shared/regular-file.ts';

/** A site as it is configured. */
export type SiteSetting = {
  /** In canonical form: lower case, A-labels, no default port. */
  origin: string;
  /** Addresses and `@domains` that may enter; undefined: everybody who may sign in. */
  visitors: string[] | undefined;
};

const siteFix =
  'takes origins, each perhaps with "=" and who may enter: https://wiki.example.com, https://grafana.example.net = ann@example.com @example.org';

/** If the wrong file is named, each of its lines is a mistake. */
const maxProblems = 10;
/** A secret has as many characters, and must not be repeated in the log. */
const minSecretLength = 32;

const siteList = z.string().transform((text, context) => {
  const entries = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .flatMap((line) => line.split(','))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const sites = entries.map(readSite);
  // By their numbers: whoever names the wrong file may have named one that holds secrets.
  const problems = sites.flatMap((site, index) => ('problem' in site ? `entry ${index + 1}: ${site.problem}` : []));
  if (entries.length === 0) problems.push('it names no site');
  if (problems.length > 0) {
    const more = problems.length - maxProblems;
    const shown = [...problems.slice(0, maxProblems), ...(more > 0 ? [`and ${more} more`] : [])];
    context.addIssue({ code: 'custom', message: `${siteFix}. But ${shown.join('; ')}` });
    return z.NEVER;
  }
  return sites.flatMap((site) => ('problem' in site ? [] : site));
});

function readSite(entry: string): SiteSetting | { problem: string } {
  const [, address = '', names] = /^([^=\s]*)\s*(?:=(.*))?$/s.exec(entry) ?? [];
  const url = parseUrl(address);
  if (!url) return { problem: 'this is not an origin' };
  const { protocol, origin, href, hostname, username, password } = url;
  if (!/^https?:$/.test(protocol)) return { problem: 'a site begins with https://' };
  if (!isHost(hostname) || hostname.endsWith('.')) {
    return { problem: `${hostname} is not the full name of a host` };
  }
  if (username !== '' || password !== '') {
    return { problem: `leave out the user and the password in front of ${hostname}` };
  }
  if (href !== `${origin}/` || /[/?#\\]$/.test(address.slice(protocol.length + 2))) {
    return { problem: `leave out what follows ${origin}, the whole site is guarded` };
  }
  if (names === undefined) return { origin, visitors: undefined };
  const given = names.split(/\s+/).filter((name) => name !== '');
  if (given.length === 0) return { problem: 'name who may enter after the "=", or leave the "=" out' };
  const visitors = given.map(readAllowListEntry);
  const unreadable = given.filter((_, index) => visitors[index] === undefined);
  if (unreadable.length > 0) {
    const shown = unreadable.map((name) => (name.length < minSecretLength ? name : '…'));
    return { problem: `${shown.join(' ')} is neither an address nor an @domain, such as @example.org without *` };
  }
  return { origin, visitors: visitors.filter((visitor) => visitor !== undefined) };
}

const siteFile = z.string().transform((path, context) => {
  try {
    return readRegularFile(path).toString();
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    const reason = error instanceof NotRegularFile ? error.message : code;
    context.addIssue({ code: 'custom', message: `names a file that can't be read (${reason}): ${path}` });
    return z.NEVER;
  }
});

type Values = {
  NODE_ENV: string;
  BASE_URL: string | undefined;
  GATE_SITES: SiteSetting[] | undefined;
  GATE_SITES_FILE: SiteSetting[] | undefined;
};

function sitesOf({ GATE_SITES, GATE_SITES_FILE }: Values): SiteSetting[] {
  return GATE_SITES ?? GATE_SITES_FILE ?? [];
}

export const gateSettings = featureSettings({
  title: 'The gate',
  settings: {
    GATE_SITES: optional({
      about:
        'The sites that a reverse proxy guards with Latchkey, separated by commas or line breaks: an origin, or an origin, "=" and the addresses and @domains that may enter, separated by blanks. Needs BASE_URL and TRUST_PROXY.',
      unset: 'no gate',
      read: siteList,
    }),
    GATE_SITES_FILE: optional({
      about: 'A file with the same, for long lists; lines that begin with # are comments.',
      unset: 'GATE_SITES counts',
      read: siteFile.pipe(siteList),
    }),
  },
  checks: [
    {
      between: ['GATE_SITES', 'GATE_SITES_FILE'],
      problem: ({ GATE_SITES, GATE_SITES_FILE }) =>
        GATE_SITES && GATE_SITES_FILE ? 'GATE_SITES and GATE_SITES_FILE are both set; keep one of them' : undefined,
    },
    {
      between: ['GATE_SITES', 'GATE_SITES_FILE', 'TRUST_PROXY', 'BASE_URL'],
      problem: (values) =>
        // Where visitors come by https, the core asks for it.
        sitesOf(values).length > 0 && !values.TRUST_PROXY && !values.BASE_URL?.startsWith('https:')
          ? 'TRUST_PROXY is missing; the gate believes only the proxy that asks it, so name that proxy (its address, or 1 if nothing else can reach PORT)'
          : undefined,
    },
    {
      between: ['GATE_SITES', 'GATE_SITES_FILE', 'BASE_URL'],
      problem: (values) =>
        sitesOf(values).length > 0 && values.BASE_URL === undefined
          ? 'BASE_URL is missing; the gate sends visitors there to log in, so name that origin, such as https://login.example.com'
          : undefined,
    },
    {
      between: ['GATE_SITES', 'GATE_SITES_FILE', 'NODE_ENV'],
      problem: (values) => {
        const open = sitesOf(values).filter(({ origin }) => origin.startsWith('http:'));
        return values.NODE_ENV === 'production' && open.length > 0
          ? `${nameOf(values)} has ${originsOf(open)}, which must be https in production: over http its cookie can be read on the way`
          : undefined;
      },
    },
    {
      between: ['GATE_SITES', 'GATE_SITES_FILE', 'BASE_URL'],
      problem: (values) => {
        // Browsers send a host's cookies to each of its ports, so the app there would get the session cookie.
        const login = values.BASE_URL && new URL(values.BASE_URL).hostname;
        const own = sitesOf(values).filter(({ origin }) => new URL(origin).hostname === login);
        return own.length > 0
          ? `${nameOf(values)} has ${originsOf(own)} on the host of BASE_URL, whose cookies an app there would get; give it a host name of its own`
          : undefined;
      },
    },
    {
      between: ['GATE_SITES', 'GATE_SITES_FILE'],
      problem: (values) => {
        const hosts = sitesOf(values).map(({ origin }) => new URL(origin).hostname);
        const doubles = hosts.filter((host, index) => hosts.indexOf(host) !== index);
        return doubles.length > 0
          ? `${nameOf(values)} has ${[...new Set(doubles)].join(', ')} more than once; keep one entry for each host (cookies do not tell ports apart)`
          : undefined;
      },
    },
  ],
  redisPermissions: {
    commands: {
      eval: 'script 1 KEY',
      exists: 'KEY',
      getdel: 'KEY',
      pexpireat: 'KEY 1',
      sadd: 'KEY member',
      set: 'KEY value',
      smembers: 'KEY',
    },
    keys: ['{tag}sites:site', 'g:ticket'],
  },
  read: (values) => ({ sites: sitesOf(values) }),
});

function nameOf({ GATE_SITES }: Values): string {
  return GATE_SITES ? 'GATE_SITES' : 'GATE_SITES_FILE';
}

function originsOf(sites: SiteSetting[]): string {
  return sites.map(({ origin }) => origin).join(', ');
}
