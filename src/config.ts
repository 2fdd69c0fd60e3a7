import { isIP } from 'node:net';
import { z } from 'zod';
import { isDecodable } from './http/decodable.ts';
import { isLoopback } from './http/loopback.ts';
import { readRedisUrl } from './redis/url.ts';
import { parseAddress } from './session/email-address.ts';

/** Everything the environment decides. All durations are seconds. */
export type Config = {
  production: boolean;
  host: string;
  port: number;
  /** The public origin, such as `https://login.example.com`; undefined in development when it is not set. */
  origin: string | undefined;
  /** Express's `trust proxy`: a number of hops, a list of addresses, or nobody. */
  trustProxy: number | string[] | false;
  /** Of one Redis, of Sentinels or of a Cluster; undefined in development: a private Redis is started. */
  redisUrl: string | undefined;
  /** Undefined in development: one is made and kept. */
  sessionSecrets: SessionSecrets | undefined;
  sessionLimits: SessionLimits;
  /** Live sessions that one address may have; one more ends the longest unused. */
  sessionsPerAddress: number;
  /** `trust`: the address that is typed is the identity. `code`: a code that is mailed to it proves it. */
  signIn: 'code' | 'trust';
  /** The mail server; undefined in development, where mail is only kept to be read. */
  smtpUrl: string | undefined;
  mailFrom: string;
  /** Codes mailed in all, to browsers that their addresses have not signed in with before. */
  mailsPerHour: number;
  /** Addresses and `@domains` that may sign in; empty: everybody. */
  allowedEmails: string[];
  logLevel: (typeof logLevels)[number];
  /** Where Prometheus reads metrics; undefined: nowhere. */
  metricsPort: number | undefined;
};

/** The first signs session cookies, all verify them. */
export type SessionSecrets = [string, ...string[]];

/** How long a session may last (ASVS 7.1.1): without a request, and since sign-in. */
export type SessionLimits = {
  idleSeconds: number;
  absoluteSeconds: number;
  /** The pair for a visitor who asked to be kept signed in. */
  rememberIdleSeconds: number;
  rememberAbsoluteSeconds: number;
};

/** The operator's mistakes, all of them, each with its fix. */
export class ConfigError extends Error {
  readonly problems: string[];

  constructor(problems: string[]) {
    super(`Latchkey can't start: ${problems.map((problem) => `\n  - ${problem}`).join('')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const secondsPerUnit = { s: 1, m: 60, h: 3600, d: 86_400 };

const duration = (fallback: string) =>
  z
    .string()
    .regex(/^[1-9]\d{0,5}[smhd]$/, 'takes a whole number and a unit (s, m, h, d), such as 30m')
    .default(fallback)
    .transform((text) => Number(text.slice(0, -1)) * secondsPerUnit[text.at(-1) as keyof typeof secondsPerUnit]);

const url = (protocols: RegExp, accepts: (url: URL) => boolean, fix: string) =>
  z.string().refine((text) => {
    if (!URL.canParse(text)) return false;
    const url = new URL(text);
    return protocols.test(url.protocol) && url.hostname !== '' && accepts(url);
  }, fix);

const portFix = 'takes a port, 0 to 65535';
const port = z
  .string()
  .regex(/^\d{1,5}$/, portFix)
  .transform(Number)
  .refine((number) => number <= 65_535, portFix);

const baseUrlFix = 'takes an origin with nothing behind it, such as https://login.example.com';
const trustProxyFix =
  'takes a number of proxies (1), or their addresses (10.0.0.0/8, loopback); "true" would believe anybody';

const redisUrlFix =
  'takes redis://:password@localhost:6379 for one Redis, redis+sentinel://:password@host1:26379,host2:26379/mymaster for the primary that Sentinels know, or redis+cluster://:password@host1:7000,host2:7001 for a Cluster (rediss for TLS), with what is special in the password percent-encoded';
const mailFromFix = 'takes an address, or a name and an address: Latchkey <login@example.com>';
const allowedFix = 'takes addresses and domains, separated by commas: ann@example.com, @example.org';

const wholeNumber = (fallback: string) =>
  z
    .string()
    .regex(/^[1-9]\d{0,5}$/, 'takes a whole number from 1 to 999999')
    .default(fallback)
    .transform(Number);

/** Every setting that Latchkey reads, with its default; `.env.example` explains each. */
export const settings = {
  NODE_ENV: z
    .enum(['development', 'production', 'test'], 'takes development, production or test')
    .default('development'),
  HOST: z.string().default('127.0.0.1'),
  PORT: port.default(3000),
  BASE_URL: url(/^https?:$/, ({ href, origin }) => href === `${origin}/`, baseUrlFix)
    .transform((text) => new URL(text).origin)
    .optional(),
  TRUST_PROXY: z
    .string()
    .transform((text) => (/^\d{1,2}$/.test(text) ? Number(text) : text.split(',').map((proxy) => proxy.trim())))
    .refine((proxies) => typeof proxies === 'number' || proxies.every(isProxy), trustProxyFix)
    .optional(),
  REDIS_URL: z
    .string()
    .refine((text) => readRedisUrl(text) !== undefined, redisUrlFix)
    .optional(),
  SESSION_SECRET: z
    .string()
    .transform((text) => text.split(',').map((secret) => secret.trim()))
    .refine(
      (secrets) => secrets.every((secret) => secret.length >= 32),
      'takes secrets of at least 32 characters, separated by commas; make one with: openssl rand -hex 32',
    )
    .transform(([first, ...others]): SessionSecrets => [first ?? '', ...others])
    .optional(),
  SESSION_IDLE: duration('30m'),
  SESSION_ABSOLUTE: duration('8h'),
  SESSION_REMEMBER_IDLE: duration('14d'),
  SESSION_REMEMBER_ABSOLUTE: duration('30d'),
  SESSIONS_PER_ADDRESS: wholeNumber('50'),
  SIGN_IN: z
    .enum(['code', 'trust'], 'takes "code" (mailed to the address) or "trust" (the address that is typed is believed)')
    .optional(),
  SMTP_URL: url(
    /^smtps?:$/,
    ({ username, password, pathname, search, hash }) =>
      isDecodable(username + password) && /^\/?(?:\?tls=optional)?$/.test(pathname + search + hash),
    'takes a URL such as smtp://user:password@mail.example.com:587, with what is special in the password percent-encoded; ?tls=optional is the one option',
  ).optional(),
  MAIL_FROM: z
    .string()
    .refine((text) => 'email' in parseAddress(/<([^<>]+)>$/.exec(text)?.[1] ?? text), mailFromFix)
    .optional(),
  MAILS_PER_HOUR: wholeNumber('1000'),
  ALLOWED_EMAILS: z
    .string()
    .transform((text) => text.split(',').map((entry) => entry.trim()))
    .refine((entries) => entries.every((entry) => readAllowed(entry) !== undefined), allowedFix)
    .transform((entries) => entries.map((entry) => readAllowed(entry) ?? ''))
    .default([]),
  LOG_LEVEL: z.enum(logLevels, `takes ${logLevels.join(', ')}`).default('info'),
  METRICS_PORT: port.optional(),
};

/**
 * The one reader of the environment.
 * @param env usually `process.env`; an empty value counts as unset
 * @throws {ConfigError} with every mistake at once
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(
    Object.keys(settings).map((name) => [name, env[name] === '' ? undefined : env[name]]),
  );
  const schema = z.object(settings);
  const issues = schema.safeParse(given).error?.issues ?? [];
  const malformed = new Map(issues.map(({ path, message }) => [String(path[0]), message]));
  const missing = given.NODE_ENV === 'production' ? missingInProduction(given) : [];
  // Malformed settings take their defaults here, so that contradictions among the others are told at once as well.
  const value = schema.parse(Object.fromEntries(Object.entries(given).filter(([name]) => !malformed.has(name))));
  const contradictory = contradictions.filter(
    ({ between, holds }) => !between.some((name) => malformed.has(name)) && holds(value),
  );
  const problems = [
    ...[...malformed].map(([name, fix]) => `${name} ${fix}`),
    ...missing,
    ...contradictory.map(({ problem }) => problem),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    production: value.NODE_ENV === 'production',
    host: value.HOST,
    port: value.PORT,
    origin: value.BASE_URL,
    trustProxy: value.TRUST_PROXY ?? false,
    redisUrl: value.REDIS_URL,
    sessionSecrets: value.SESSION_SECRET,
    sessionLimits: {
      idleSeconds: value.SESSION_IDLE,
      absoluteSeconds: value.SESSION_ABSOLUTE,
      rememberIdleSeconds: value.SESSION_REMEMBER_IDLE,
      rememberAbsoluteSeconds: value.SESSION_REMEMBER_ABSOLUTE,
    },
    sessionsPerAddress: value.SESSIONS_PER_ADDRESS,
    signIn: value.SIGN_IN ?? (value.SMTP_URL === undefined ? 'trust' : 'code'),
    smtpUrl: value.SMTP_URL,
    mailFrom: value.MAIL_FROM ?? `Latchkey <login@${new URL(value.BASE_URL ?? 'http://localhost').hostname}>`,
    mailsPerHour: value.MAILS_PER_HOUR,
    allowedEmails: value.ALLOWED_EMAILS,
    logLevel: value.LOG_LEVEL,
    metricsPort: value.METRICS_PORT,
  };
}

function missingInProduction(given: Record<string, string | undefined>): string[] {
  const fixes = {
    REDIS_URL: 'is missing; name the Redis that holds the sessions, such as redis://:password@redis:6379',
    SESSION_SECRET: 'is missing; make one with: openssl rand -hex 32',
    BASE_URL: 'is missing; name the origin that visitors see, such as https://login.example.com',
    ...(given.SIGN_IN !== 'trust' && {
      SMTP_URL:
        'is missing; name the mail server that sends the codes, such as smtp://user:password@mail.example.com:587 (or set SIGN_IN=trust, which believes any address that is typed)',
    }),
  };
  return Object.entries(fixes).flatMap(([name, fix]) => (given[name] === undefined ? [`${name} ${fix}`] : []));
}

type Settings = z.infer<z.ZodObject<typeof settings>>;

type Contradiction = { between: (keyof Settings)[]; holds: (value: Settings) => boolean; problem: string };

const contradictions: Contradiction[] = [
  {
    between: ['NODE_ENV', 'BASE_URL'],
    holds: ({ NODE_ENV, BASE_URL }) =>
      NODE_ENV === 'production' && BASE_URL?.startsWith('http:') === true && !isLoopback(new URL(BASE_URL).hostname),
    problem: 'BASE_URL must be https in production: over http the session cookie can be read on the way',
  },
  {
    between: ['BASE_URL', 'TRUST_PROXY'],
    holds: ({ BASE_URL, TRUST_PROXY }) => BASE_URL?.startsWith('https:') === true && !TRUST_PROXY,
    problem:
      'TRUST_PROXY is missing; BASE_URL is https, so a proxy in front speaks TLS: name it (TRUST_PROXY=1, or its address), or the secure cookie is never set',
  },
  {
    between: ['PORT', 'METRICS_PORT'],
    holds: ({ PORT, METRICS_PORT }) => PORT === METRICS_PORT && PORT !== 0,
    problem: 'METRICS_PORT is the same as PORT; give metrics a port of their own, which visitors can not reach',
  },
  {
    between: ['SESSION_IDLE', 'SESSION_ABSOLUTE'],
    holds: ({ SESSION_IDLE, SESSION_ABSOLUTE }) => SESSION_IDLE > SESSION_ABSOLUTE,
    problem: 'SESSION_IDLE is longer than SESSION_ABSOLUTE; make it the shorter one',
  },
  {
    between: ['SESSION_REMEMBER_IDLE', 'SESSION_REMEMBER_ABSOLUTE'],
    holds: ({ SESSION_REMEMBER_IDLE, SESSION_REMEMBER_ABSOLUTE }) => SESSION_REMEMBER_IDLE > SESSION_REMEMBER_ABSOLUTE,
    problem: 'SESSION_REMEMBER_IDLE is longer than SESSION_REMEMBER_ABSOLUTE; make it the shorter one',
  },
];

// What Express's `trust proxy` reads; it throws at anything else.
function isProxy(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [, address = '', bits = '1'] = /^([\d.]+|[\da-f:]+)(?:\/([1-9]\d{0,2}))?$/i.exec(text) ?? [];
  const maxBits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  return Number(bits) <= maxBits;
}

// The canonical form of an entry, or undefined for what is none.
function readAllowed(entry: string): string | undefined {
  const address = parseAddress(entry.startsWith('@') ? `anybody${entry}` : entry);
  if ('problem' in address) return undefined;
  return entry.startsWith('@') ? address.email.slice('anybody'.length) : address.email;
}
