import type { CoreValues } from './core.ts';
import type { Check, Settings, ValuesOf } from './setting.ts';

/** What was read of all settings, by their names. */
export type Values = Readonly<Record<string, unknown>>;

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
export interface FeatureSettings<Result = unknown, SignInName extends string = string, Seen = Values> {
  /** The heading above them in docs/settings.md. */
  title: string;
  settings: Settings;
  checks?: Check<Seen>[];
  signIn?: SignInSetting<SignInName>;
  /** What the feature finds under its name in the configuration. */
  read: (values: Seen) => Result;
}

/**
 * Declares a feature's settings. Its checks and `read` see the values of its own settings and of the core's.
 * @public for the features of a fork, also when it has removed all of ours
 */
export function featureSettings<Own extends Settings, Result, const SignInName extends string = never>(
  declaration: FeatureSettings<Result, SignInName, CoreValues & ValuesOf<Own>> & { settings: Own },
): FeatureSettings<Result, SignInName> {
  const { checks = [], read, ...rest } = declaration;
  // `config.ts` reads the values with these very schemas.
  const seen = (values: Values) => values as CoreValues & ValuesOf<Own>;
  return {
    ...rest,
    checks: checks.map(({ between, problem }) => ({ between, problem: (values) => problem(seen(values)) })),
    read: (values) => read(seen(values)),
  };
}
