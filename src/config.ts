import { z } from 'zod';

/** Everything the environment decides. All durations are seconds. */
export type Config = {
  production: boolean;
  host: string;
  port: number;
  /** The public origin, such as `https://login.example.com`; undefined in development when it is not set. */
  origin: string | undefined;
  /** Express's `trust proxy`: a number of hops, a list of addresses, or nobody. */
  trustProxy: number | string[] | false;
  /** Undefined in development: a private Redis is started. */
  redisUrl: string | undefined;
  /** Undefined in development: one is made and kept. */
  sessionSecrets: SessionSecrets | undefined;
  sessionLimits: SessionLimits;
  /** Live sessions that one address may have; one more ends the longest unused. */
  sessionsPerAddress: number;
  /** `trust`: the address that is typed is the identity. */
  signIn: 'trust';
  logLevel: (typeof logLevels)[number];
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

const url = (protocols: RegExp, fix: string) =>
  z.string().refine((text) => {
    if (!URL.canParse(text)) return false;
    const { protocol, hostname } = new URL(text);
    return protocols.test(protocol) && hostname !== '';
  }, fix);

const baseUrlFix = 'takes an origin with nothing behind it, such as https://login.example.com';
const trustProxyFix =
  'takes a number of proxies (1), or their addresses (10.0.0.0/8, loopback); "true" would believe anybody';

/** Every setting that Latchkey reads, with its default; `.env.example` explains each. */
export const settings = {
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development'),
  HOST: z.string().default('127.0.0.1'),
  PORT: z
    .string()
    .default('3000')
    .transform(Number)
    .refine((port) => Number.isInteger(port) && port >= 0 && port <= 65_535, 'takes a port, 0 to 65535'),
  BASE_URL: url(/^https?:$/, baseUrlFix)
    .refine((text) => !URL.canParse(text) || /^\/?$/.test(text.slice(new URL(text).origin.length)), baseUrlFix)
    .transform((text) => (URL.canParse(text) ? new URL(text).origin : text))
    .optional(),
  TRUST_PROXY: z
    .string()
    .regex(/^(\d{1,2}|(?!true$|false$)[\w.:/-]+(\s*,\s*[\w.:/-]+)*)$/, trustProxyFix)
    .transform((text) => (/^\d+$/.test(text) ? Number(text) : text.split(/\s*,\s*/)))
    .optional(),
  REDIS_URL: url(/^rediss?:$/, 'takes a URL such as redis://:password@localhost:6379').optional(),
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
  SESSIONS_PER_ADDRESS: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, 'takes a whole number from 1 to 9999')
    .default('50')
    .transform(Number),
  SIGN_IN: z.literal('trust', 'takes "trust": the address that is typed is believed').optional(),
  LOG_LEVEL: z.enum(logLevels).default('info'),
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
  const parsed = z.object(settings).safeParse(given);
  const malformed = parsed.error?.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`) ?? [];
  const missing = given.NODE_ENV === 'production' ? missingInProduction(given) : [];
  if (!parsed.success) throw new ConfigError([...malformed, ...missing]);

  const value = parsed.data;
  const problems = [...missing, ...contradictions(value)];
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
    signIn: value.SIGN_IN ?? 'trust',
    logLevel: value.LOG_LEVEL,
  };
}

function missingInProduction(given: Record<string, string | undefined>): string[] {
  const fixes = {
    REDIS_URL: 'is missing; name the Redis that holds the sessions, such as redis://:password@redis:6379',
    SESSION_SECRET: 'is missing; make one with: openssl rand -hex 32',
    BASE_URL: 'is missing; name the origin that visitors see, such as https://login.example.com',
    SIGN_IN:
      'is missing; SIGN_IN=trust believes any address that is typed, which is right only behind a door of your own',
  };
  return Object.entries(fixes).flatMap(([name, fix]) => (given[name] === undefined ? [`${name} ${fix}`] : []));
}

type Settings = z.infer<z.ZodObject<typeof settings>>;

function contradictions(value: Settings): string[] {
  const problems: string[] = [];
  const production = value.NODE_ENV === 'production';
  const https = value.BASE_URL?.startsWith('https:') ?? false;
  if (production && value.BASE_URL !== undefined && !https && !isLoopback(new URL(value.BASE_URL).hostname)) {
    problems.push('BASE_URL must be https in production: over http the session cookie can be read on the way');
  }
  if (https && value.TRUST_PROXY === undefined) {
    problems.push(
      'TRUST_PROXY is missing; BASE_URL is https, so a proxy in front speaks TLS: name it (TRUST_PROXY=1, or its address), or the secure cookie is never set',
    );
  }
  if (value.SESSION_IDLE > value.SESSION_ABSOLUTE) {
    problems.push('SESSION_IDLE is longer than SESSION_ABSOLUTE; make it the shorter one');
  }
  if (value.SESSION_REMEMBER_IDLE > value.SESSION_REMEMBER_ABSOLUTE) {
    problems.push('SESSION_REMEMBER_IDLE is longer than SESSION_REMEMBER_ABSOLUTE; make it the shorter one');
  }
  return problems;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}
