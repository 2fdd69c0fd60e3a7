import * as z from 'zod';
import { boundSessionsSettings } from './features/bound-sessions/settings.ts';
import { brandingSettings } from './features/branding/settings.ts';
import { clusterUrl } from './features/cluster/url.ts';
import { emailCodeSettings } from './features/email-code/settings.ts';
import { readSources } from './features/env-file/sources.ts';
import { gateSettings } from './features/gate/settings.ts';
import { incidentsSettings } from './features/incidents/settings.ts';
import { liveTabsSettings } from './features/live-tabs/settings.ts';
import { logFormatSettings } from './features/log-format/settings.ts';
import { mailSettings } from './features/mail/settings.ts';
import { metricsSettings } from './features/metrics/settings.ts';
import { passkeysSettings } from './features/passkeys/settings.ts';
import { performanceSettings } from './features/performance/settings.ts';
import { privateCaSettings } from './features/private-ca/settings.ts';
import { rateLimitSettings } from './features/rate-limits/settings.ts';
import { permissionsByKind } from './features/redis-checks/permissions.ts';
import { redisKeyPrefixSettings } from './features/redis-key-prefix/settings.ts';
import { singleRedisUrl } from './features/redis-urls/url.ts';
import { repeatedFormsSettings } from './features/repeated-forms/settings.ts';
import { sentinelUrl } from './features/sentinel/url.ts';
import { workersSettings } from './features/workers/settings.ts';
import { plainRedisUrl, type RedisUrlForm } from './redis/url.ts';
import { type CoreValues, coreChecks, coreSettings, readCoreSettings } from './settings/core.ts';
import type { FeatureSettings, Values } from './settings/feature.ts';
import { type Check, optional, readBy, required, SettingProblem, type Settings } from './settings/setting.ts';

export type { SessionSecrets } from './session/cookie.ts';
export type { SessionLimits } from './session/lifetime.ts';

/** What each feature adds to the settings. */
const features = {
  logFormat: logFormatSettings,
  performance: performanceSettings,
  privateCa: privateCaSettings,
  redisKeyPrefix: redisKeyPrefixSettings,
  branding: brandingSettings,
  mail: mailSettings,
  emailCode: emailCodeSettings,
  metrics: metricsSettings,
  workers: workersSettings,
  gate: gateSettings,
  rateLimits: rateLimitSettings,
  repeatedForms: repeatedFormsSettings,
  incidents: incidentsSettings,
  passkeys: passkeysSettings,
  liveTabs: liveTabsSettings,
  boundSessions: boundSessionsSettings,
};

/** The forms of `REDIS_URL`; `app.ts` says how each is connected to. */
export const redisUrlForms = {
  single: plainRedisUrl,
  sentinel: sentinelUrl,
  cluster: clusterUrl,
};
redisUrlForms.single = singleRedisUrl;

type Features = typeof features;
type SignInNameOf<Feature> = Feature extends FeatureSettings<unknown, infer Name> ? Name : never;

/** How an address is proved. A new way is a compile error in `app.ts` until it says what that way does. */
export type SignIn = 'trust' | SignInNameOf<Features[keyof Features]>;

/** Where Redis is, and of which kind. */
export type RedisTarget = Extract<
  ReturnType<(typeof redisUrlForms)[keyof typeof redisUrlForms]['read']>,
  { kind: string }
>;

/** Everything that the environment decides. All durations are seconds. */
export type Config = ReturnType<typeof readCoreSettings> & {
  signIn: SignIn;
  /** Undefined in development: a private Redis is started. */
  redis: RedisTarget | undefined;
} & { [Name in keyof Features]: ReturnType<Features[Name]['read']> };

/** The operator's mistakes, all of them, each with its fix. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: string[];

  constructor(problems: string[]) {
    super(`Latchkey can't start: ${problems.map((problem) => `\n  - ${problem}`).join('')}`);
    this.problems = problems;
  }
}

const groups: FeatureSettings[] = Object.values(features);
/** What the Redis user must be allowed to do. */
export const redisPermissions = permissionsByKind(groups, redisUrlForms);
const forms: RedisUrlForm<RedisTarget>[] = Object.values(redisUrlForms);
const signInWays = groups.flatMap(({ signIn }) => signIn ?? []);
const signInChoices = [...signInWays, { name: 'trust', about: 'not at all; anyone can sign in with any address' }];

const choices = {
  REDIS_URL: optional({
    about: `The Redis that holds the sessions: version 7.0 or newer, or Valkey. ${forms.map(({ example }) => example).join('; ')}.`,
    isSecret: true,
    unset: 'in development, a private one is started and keeps its data in `.data/`',
    read: readBy((text) => {
      const target = forms.map((form) => form.read(text)).find((read) => read !== undefined);
      if (!target) throw new SettingProblem(`takes ${forms.map(({ example }) => example).join(', or ')}`);
      return target;
    }),
  }),
  SIGN_IN: optional({
    about: `How an address is proved. ${signInChoices.map(({ name, about }) => `\`${name}\`: ${about}`).join('. ')}.`,
    unset: 'the one of these that has its settings; in production, `trust` has to be named',
    read: z.enum(
      signInChoices.map(({ name }) => name),
      `takes ${signInChoices.map(({ name, about }) => `"${name}" (${about})`).join(' or ')}`,
    ),
  }),
};

type OwnValues = Values & CoreValues & { REDIS_URL: RedisTarget | undefined; SIGN_IN: SignIn | undefined };

const checks: Check<OwnValues>[] = [
  required('REDIS_URL', 'name the Redis that holds the sessions, such as redis://:password@redis:6379'),
  ...coreChecks,
  {
    between: ['NODE_ENV', 'SIGN_IN'],
    problem: (values) => {
      const { NODE_ENV, SIGN_IN } = values;
      const ways = signInWays.filter(({ name }) => SIGN_IN === undefined || name === SIGN_IN);
      const ready = ways.filter((way) => way.isReady(values)).map(({ name }) => name);
      if (ready.length > 1) return `SIGN_IN is missing; say which, since ${ready.join(' and ')} have their settings`;
      if (NODE_ENV !== 'production' || SIGN_IN === 'trust' || ready.length === 1) return undefined;
      const missing = ways[0]?.missing ?? 'SIGN_IN is missing; nothing here proves an address';
      return `${missing} (or set SIGN_IN=trust, which believes any address that is typed)`;
    },
  },
];

/** The settings by the headings under which they are documented. */
export const settingGroups: { title: string; settings: Settings }[] = [
  { title: 'Core', settings: { ...choices, ...coreSettings } },
  ...groups,
];
/** Every setting by its name. */
export const settings: Settings = Object.assign({}, ...settingGroups.map((group) => group.settings));

/** The raw settings, with the problems and warnings found in their sources. */
export type Given = { env: NodeJS.ProcessEnv; problems: string[]; warnings: { about: object; message: string }[] };

/** Where the settings come from. */
export const sources = { read: (env: NodeJS.ProcessEnv): Given => ({ env, problems: [], warnings: [] }) };
sources.read = (env) => readSources(settings, env, '.env');

/**
 * @param env the texts of the settings by their names; an empty one counts as unset
 * @param problems mistakes in how they are given
 * @throws {ConfigError} with every mistake at once
 */
export function readConfig(env: NodeJS.ProcessEnv, problems: string[] = []): Config {
  const mistakes = [...problems];
  const malformed = new Set<string>();
  const read: Record<string, unknown> = {};
  for (const [name, { schema }] of Object.entries(settings)) {
    const { data, error } = schema.safeParse(env[name] || undefined);
    // A malformed setting counts as unset here, so that contradictions among the others are reported as well.
    read[name] = error ? schema.parse(undefined) : data;
    if (!error) continue;
    malformed.add(name);
    mistakes.push(`${name} ${error.issues.at(-1)?.message}`);
  }
  const values = read as OwnValues;
  // A text that could not be read may be the one that is missed here. A malformed setting is reported once.
  const applicable = problems.length > 0 ? [] : [...checks, ...groups.flatMap(({ checks = [] }) => checks)];
  for (const { between, problem } of applicable) {
    const found = between.some((name) => malformed.has(name)) ? undefined : problem(values);
    if (found !== undefined && !malformed.has(found.split(' ', 1)[0] ?? '')) mistakes.push(found);
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const ofFeatures = Object.entries<FeatureSettings>(features).map(([name, { read }]) => [name, read(values)]);
  return {
    ...readCoreSettings(values),
    signIn: values.SIGN_IN ?? ((signInWays.find((way) => way.isReady(values))?.name ?? 'trust') as SignIn),
    redis: values.REDIS_URL,
    ...Object.fromEntries(ofFeatures),
  };
}
