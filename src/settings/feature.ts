import type { CoreValues } from './core.ts';
import type { Check, Settings, ValuesOf } from './setting.ts';

/** What was read of all settings, by their names. */
export type Values = Readonly<Record<string, unknown>>;

/** What a part of Latchkey asks of Redis, in its code and in its scripts. */
export type RedisPermissions = {
  /**
   * Commands as an ACL names them, each with complete arguments for an example, in which KEY stands for a key. An
   * incomplete example can crash Redis: acl_check_cmd looks for the key behind the end (seen with EVAL and 7.0.15).
   */
  commands: Readonly<Record<string, string>>;
  /** One example of each kind of key. */
  keys: readonly string[];
};

/** A way to prove an address, as `SIGN_IN` names it. `app.ts` says what each does. */
type SignInSetting<Name extends string> = {
  name: Name;
  /** What it does, for the operator. */
  about: string;
  /** Whether it has the settings that it needs in production; it is the default wherever it has. */
  isReady: (values: Values) => boolean;
  /** The message for an operator who chose it in production without them. */
  missing: string;
};

/** What a feature adds to the settings: `config.ts` names each feature's in one line. */
export type FeatureSettings<Result = unknown, SignInName extends string = string> = {
  /** The heading above them in docs/settings.md. */
  title: string;
  settings: Settings;
  checks: Check<Values>[];
  signIn: SignInSetting<SignInName> | undefined;
  /** What it asks of Redis. */
  redisPermissions: RedisPermissions | undefined;
  /** What the feature finds under its name in the configuration. */
  read: (values: Values) => Result;
};

type Declaration<Own extends Settings, Result, SignInName extends string> = {
  title: string;
  settings: Own;
  checks?: Check<CoreValues & ValuesOf<Own>>[];
  signIn?: SignInSetting<SignInName>;
  redisPermissions?: RedisPermissions;
  read: (values: CoreValues & ValuesOf<Own>) => Result;
};

/**
 * Declares a feature's settings. Its checks and `read` see the values of its own settings and of the core's.
 * @public for the features of a fork, also when it has removed all of ours
 */
export function featureSettings<Own extends Settings, Result, const SignInName extends string = never>(
  declaration: Declaration<Own, Result, SignInName>,
): FeatureSettings<Result, SignInName> {
  const { title, settings, checks = [], signIn, redisPermissions, read } = declaration;
  // `config.ts` has read these values with the schemas of `settings` and of the core.
  const typed = (values: Values) => values as CoreValues & ValuesOf<Own>;
  return {
    title,
    settings,
    checks: checks.map(({ between, problem }) => ({ between, problem: (values) => problem(typed(values)) })),
    signIn,
    redisPermissions,
    read: (values) => read(typed(values)),
  };
}
