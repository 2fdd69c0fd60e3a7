import type { SessionsOptions } from '../../session/middleware.ts';
import { SessionStore } from '../../session/store.ts';
import type { SessionStoreOptions } from './session-store.ts';

/** What an option takes, in words, and how to tell. */
type Option = { takes: string; accepts: (value: unknown) => boolean; isRequired?: true };
type Options<Given> = { [Name in keyof Required<Given>]: Option };

/** Browsers keep no cookie for longer (RFC 6265bis, 5.5); and limits in milliseconds are longer. */
const maxLimitSeconds = 400 * 86_400;

const aFunction = (takes: string): Option => ({ takes, accepts: (value) => typeof value === 'function' });
const seconds: Option = {
  takes: 'seconds, at least 0.001 and at most 400 days (34560000), for which browsers keep a cookie',
  accepts: (value) => typeof value === 'number' && value >= 0.001 && value <= maxLimitSeconds,
  isRequired: true,
};

const limits: Options<SessionStoreOptions['limits']> = {
  idleSeconds: seconds,
  absoluteSeconds: seconds,
  rememberIdleSeconds: seconds,
  rememberAbsoluteSeconds: seconds,
  minSignedInAt: aFunction('a function that returns milliseconds since the epoch'),
};

const storeOptions: Options<SessionStoreOptions> = {
  redis: {
    takes:
      'a client of the redis package, version 4 or newer, as createClient() returns it; one of ioredis does not fit',
    // Clients that don't fit have the commands under lower-case names, such as `hgetall`, and take other arguments.
    accepts: (value) => hasMethods(value, 'get', 'eval') && !hasMethods(value, 'hgetall'),
    isRequired: true,
  },
  limits: {
    takes: 'an object with idleSeconds, absoluteSeconds, rememberIdleSeconds and rememberAbsoluteSeconds',
    accepts: (value) => typeof value === 'object' && value !== null,
    isRequired: true,
  },
  https: {
    takes: 'true where visitors come by https, as in production, and false elsewhere',
    accepts: (value) => typeof value === 'boolean',
    isRequired: true,
  },
  sessionsPerAddress: {
    takes: 'a whole number, at least 1',
    accepts: (value) => Number.isInteger(value) && Number(value) >= 1,
  },
  deadlineMs: {
    takes: 'milliseconds, more than 0 and at most a minute (60000)',
    accepts: (value) => typeof value === 'number' && value > 0 && value <= 60_000,
  },
  isAllowed: aFunction('a function that returns true or false for an address, at once'),
  log: { takes: 'a logger with info() and warn()', accepts: (value) => hasMethods(value, 'info', 'warn') },
  noteOutage: aFunction('a function that takes an error'),
  prefix: {
    takes: 'up to 32 letters, digits and any of . _ : -, such as shop:',
    accepts: (value) => typeof value === 'string' && /^[\w.:-]{0,32}$/.test(value),
  },
};

const sessionsOptions: Options<SessionsOptions> = {
  store: {
    takes: 'a SessionStore of latchkey/session',
    accepts: (value) => value instanceof SessionStore,
    isRequired: true,
  },
  secrets: {
    takes:
      'an array of secrets of at least 32 characters, the first of which signs; make one with: openssl rand -hex 32',
    accepts: (value) => Array.isArray(value) && value.length > 0 && value.every(isLongText),
    isRequired: true,
  },
  wrapLoading: aFunction('a function that takes the middleware of express-session'),
};

/** Where to look instead of an option that express-session or connect-redis has. */
const elsewhere = new Map([
  ['client', 'it is called redis'],
  ['ttl', 'limits says how long sessions last'],
  ['secret', 'it is called secrets, and takes an array'],
  ['name', 'the cookie is called session, or __Host-session with https: true'],
  ['cookie', 'its attributes follow from https, and its lifetime from limits'],
  ['rolling', 'a session in use is extended, and so is its cookie'],
  ['resave', 'what has changed is stored, and nothing else'],
  ['saveUninitialized', 'a session begins when something is kept in it'],
  ['proxy', "app.set('trust proxy', …) says which proxies are believed"],
  ['genid', 'a session id holds what finds the list of its address'],
]);

/** @throws {TypeError} with a message that lists all mistakes */
export function checkStoreOptions(given: SessionStoreOptions): void {
  const problems = problemsOf(given, storeOptions);
  const inLimits = storeOptions.limits.accepts(given?.limits) ? problemsOf(given.limits, limits, 'limits.') : [];
  report('new SessionStore()', [...problems, ...inLimits, ...wrongPairs(given?.limits ?? {})]);
}

/** @throws {TypeError} with a message that lists all mistakes */
export function checkSessionsOptions(given: SessionsOptions): void {
  report('sessions()', problemsOf(given, sessionsOptions));
}

function problemsOf<Given extends object>(given: Given, known: Options<Given>, prefix = ''): string[] {
  const values = new Map<string, unknown>(Object.entries(given ?? {}));
  const names = Object.keys(known).join(', ');
  const unknown = [...values.keys()]
    .filter((name) => !Object.hasOwn(known, name))
    .map((name) => `${prefix}${name} is no option: ${elsewhere.get(name) ?? `there are ${names}`}`);
  const wrong = Object.entries<Option>(known).flatMap(([name, { takes, accepts, isRequired }]) => {
    const value = values.get(name);
    if (value === undefined) return isRequired ? `${prefix}${name} is missing: it takes ${takes}` : [];
    return accepts(value) ? [] : `${prefix}${name} takes ${takes}`;
  });
  return [...unknown, ...wrong];
}

function wrongPairs(given: Partial<SessionStoreOptions['limits']>): string[] {
  const pairs = [
    ['idleSeconds', 'absoluteSeconds'],
    ['rememberIdleSeconds', 'rememberAbsoluteSeconds'],
    ['idleSeconds', 'rememberIdleSeconds'],
  ] as const;
  return pairs
    .filter(([idle, absolute]) => Number(given[idle]) > Number(given[absolute]))
    .map(([idle, absolute]) => `limits.${idle} is longer than limits.${absolute}; make it the shorter one`);
}

function report(call: string, problems: string[]): void {
  if (problems.length === 0) return;
  throw new TypeError(`${call} can't use its options:${problems.map((problem) => `\n  - ${problem}`).join('')}`);
}

function hasMethods(value: unknown, ...names: string[]): boolean {
  return names.every((name) => typeof (Object(value) as Record<string, unknown>)[name] === 'function');
}

function isLongText(value: unknown): boolean {
  return typeof value === 'string' && value.length >= 32;
}
