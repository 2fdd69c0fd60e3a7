import { isIP } from 'node:net';
import * as z from 'zod';
import { isLoopback } from '../http/url.ts';
import { readAllowListEntry } from '../session/allow-list.ts';
import type { SessionSecrets } from '../session/cookie.ts';
import { type Check, duration, optional, port, required, setting, url, type ValuesOf, wholeNumber } from './setting.ts';

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const trustProxyFix =
  'takes a number of proxies (1), or their addresses (10.0.0.5, loopback); "true" would believe anybody';

const anyText = z.string();

/** Every setting of the core but `REDIS_URL` and `SIGN_IN`, whose values depend on the features. */
export const coreSettings = {
  NODE_ENV: setting({
    about:
      '`development`, `production` or `test`. In production, Latchkey installs nothing, starts no Redis of its own, and requires `REDIS_URL`, `SESSION_SECRET`, `BASE_URL` and a way to prove addresses.',
    default: 'development',
    read: z.enum(['development', 'production', 'test'], 'takes development, production or test'),
  }),
  HOST: setting({
    about: 'The network address to listen on; `0.0.0.0` in a container.',
    default: '127.0.0.1',
    read: anyText.regex(
      /^[\w.-]+$|^[\da-f]*:[\da-f]*:[\da-f:.]*(%\w+)?$/i,
      'takes one address, and no port: 127.0.0.1',
    ),
  }),
  PORT: setting({ about: 'The port to listen on.', default: '3000', read: port }),
  BASE_URL: optional({
    about:
      'The origin that visitors see, such as `https://login.example.com`. Cookie attributes, HSTS, the cross-site check and absolute links depend on it. In production it must be https, except on localhost.',
    unset: 'in development, whatever address a request was sent to',
    read: url(
      /^https?:$/,
      ({ href, origin }) => href === `${origin}/`,
      'takes https://, the full name of one host, perhaps a port and nothing behind it: https://login.example.com',
    ).transform((text) => new URL(text).origin),
  }),
  TRUST_PROXY: optional({
    about:
      'The reverse proxies whose `X-Forwarded-*` headers are trusted: how many there are (`1`), or their addresses, separated by commas; `loopback` is this machine. Avoid ranges: whoever has an address in one can forge `X-Forwarded-For`. Required when `BASE_URL` is https.',
    unset: 'no proxy is trusted',
    read: anyText
      .transform((text) => (/^\d{1,2}$/.test(text) ? Number(text) : text.split(',').map((proxy) => proxy.trim())))
      .refine((proxies) => typeof proxies === 'number' || proxies.every(isProxy), trustProxyFix),
  }),
  SESSION_SECRET: optional({
    about:
      'The secret that signs session cookies, at least 32 characters long. Make one with `openssl rand -hex 32`. Several are separated by commas: the first one signs, all of them verify. To replace one without signing anybody out, add the new one at the end, and put it in front once all processes have it.',
    isSecret: true,
    unset: 'in development, one is made and kept in `.data/`',
    read: anyText
      .transform((text) => text.split(',').map((secret) => secret.trim()))
      .refine(
        (secrets) => secrets.every((secret, at) => secret.length >= 32 && secrets.indexOf(secret) === at),
        'takes secrets of at least 32 characters, each once, separated by commas; make one with: openssl rand -hex 32',
      )
      .transform(([first, ...others]): SessionSecrets => [first ?? '', ...others]),
  }),
  SHUTDOWN_DELAY: setting({
    about:
      'How long a process in production says at `/readyz` that it is about to stop, before it stops listening. Longer than balancers take to notice, and than proxies keep unused connections; at most `5m`. Whatever kills a process that takes too long has to wait 9 seconds more: the shipped files for systemd, Compose and Kubernetes kill after 20, 15 and 30 seconds.',
    default: '2s',
    read: duration.refine((seconds) => seconds <= 300, 'takes at most 5m; balancers notice within seconds'),
  }),
  SESSION_IDLE: setting({
    about: 'How long a session lasts without a request: a whole number and a unit (`s`, `m`, `h` or `d`).',
    default: '30m',
    read: duration,
  }),
  SESSION_ABSOLUTE: setting({ about: 'How long a session lasts in total.', default: '8h', read: duration }),
  SESSION_REMEMBER_IDLE: setting({
    about: 'How long a session lasts without a request if the visitor chose to be kept signed in.',
    default: '14d',
    read: duration,
  }),
  SESSION_REMEMBER_ABSOLUTE: setting({
    about: 'How long a session lasts in total if the visitor chose to be kept signed in.',
    default: '30d',
    read: duration,
  }),
  SESSIONS_PER_ADDRESS: setting({
    about: 'How many sessions an address may have at a time. Signing in once more ends the least recently used one.',
    default: '50',
    read: wholeNumber,
  }),
  ALLOWED_EMAILS: optional({
    about:
      'Who may sign in: addresses and domains, separated by commas, such as `ann@example.com, @example.org`. A domain does not include its subdomains.',
    unset: 'everybody',
    read: anyText
      .transform((text) => text.split(',').map((entry) => readAllowListEntry(entry.trim())))
      .refine(
        (entries) => entries.every((entry) => entry !== undefined),
        'takes addresses and domains, separated by commas: ann@example.com, or @example.org instead of *@example.org',
      )
      .transform((entries) => entries.filter((entry) => entry !== undefined)),
  }),
  SITE_NAME: setting({
    about: 'The name of the site, as pages and mails show it.',
    default: 'Latchkey',
    read: anyText.regex(/^(?![\s\p{DI}]+$)(\p{Join_C}|[^\p{C}"<>\\]){1,40}$/u, 'takes 1 to 40 characters, no " < > \\'),
  }),
  LOG_LEVEL: setting({
    about:
      'The least severe messages to log: `fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`. Sign-ins, refusals and ends of sessions are logged at `info`. The log goes to standard output, one line of JSON per event.',
    default: 'info',
    read: z.enum(logLevels, `takes ${logLevels.join(', ')}`),
  }),
};

export type CoreValues = ValuesOf<typeof coreSettings>;

export const coreChecks: Check<CoreValues>[] = [
  required('SESSION_SECRET', 'make one with: openssl rand -hex 32'),
  required('BASE_URL', 'name the origin that visitors see, such as https://login.example.com'),
  {
    between: ['NODE_ENV', 'BASE_URL'],
    problem: ({ NODE_ENV, BASE_URL }) =>
      NODE_ENV === 'production' && BASE_URL?.startsWith('http:') && !isLoopback(new URL(BASE_URL).hostname)
        ? 'BASE_URL must be https in production: over http the session cookie can be read on the way'
        : undefined,
  },
  {
    between: ['BASE_URL', 'TRUST_PROXY'],
    problem: ({ BASE_URL, TRUST_PROXY }) =>
      BASE_URL?.startsWith('https:') && !TRUST_PROXY
        ? 'TRUST_PROXY is missing or 0; BASE_URL is https, so a proxy in front speaks TLS: name it (TRUST_PROXY=1, or its address), or the secure cookie is never set'
        : undefined,
  },
  notLonger('SESSION_IDLE', 'SESSION_ABSOLUTE'),
  notLonger('SESSION_REMEMBER_IDLE', 'SESSION_REMEMBER_ABSOLUTE'),
  notLonger('SESSION_IDLE', 'SESSION_REMEMBER_IDLE'),
];

type Limit = 'SESSION_IDLE' | 'SESSION_ABSOLUTE' | 'SESSION_REMEMBER_IDLE' | 'SESSION_REMEMBER_ABSOLUTE';

function notLonger(idle: Limit, absolute: Limit): Check<CoreValues> {
  return {
    between: [idle, absolute],
    problem: (values) =>
      values[idle] > values[absolute] ? `${idle} is longer than ${absolute}; make it the shorter one` : undefined,
  };
}

/** What the core makes of its settings. All durations are seconds. */
export function readCoreSettings(values: CoreValues) {
  return {
    production: values.NODE_ENV === 'production',
    host: values.HOST,
    port: values.PORT,
    /** Such as `https://login.example.com`; undefined in development when it is not set. */
    origin: values.BASE_URL,
    /** Whether visitors come by https: cookies are then `Secure`. */
    https: values.BASE_URL?.startsWith('https:') ?? false,
    /** Express's `trust proxy`: a number of hops, a list of addresses, or nobody. */
    trustProxy: values.TRUST_PROXY ?? (false as const),
    /** Undefined in development: one is made and kept. */
    sessionSecrets: values.SESSION_SECRET,
    sessionLimits: {
      idleSeconds: values.SESSION_IDLE,
      absoluteSeconds: values.SESSION_ABSOLUTE,
      rememberIdleSeconds: values.SESSION_REMEMBER_IDLE,
      rememberAbsoluteSeconds: values.SESSION_REMEMBER_ABSOLUTE,
    },
    shutdownDelaySeconds: values.SHUTDOWN_DELAY,
    /** How many live sessions one address may have; one more ends the least recently used. */
    sessionsPerAddress: values.SESSIONS_PER_ADDRESS,
    /** Addresses and `@domains` that may sign in; undefined: everybody. */
    allowedEmails: values.ALLOWED_EMAILS,
    siteName: values.SITE_NAME,
    logLevel: values.LOG_LEVEL,
  };
}

// What Express's `trust proxy` reads; it throws at anything else.
function isProxy(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [, address = '', bits = '1'] = /^([\d.]+|[\da-f:]+)(?:\/([1-9]\d{0,2}))?$/i.exec(text) ?? [];
  return Number(bits) <= ({ 4: 32, 6: 128 }[isIP(address)] ?? 0);
}
