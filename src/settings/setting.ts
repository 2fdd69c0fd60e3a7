import * as z from 'zod';
import { isHost, parseUrl } from '../http/url.ts';

/** One environment variable: what it decides, and how its text is read. */
export type Setting<Value = unknown> = {
  /** What it decides, for the operator; the documents and the Compose file are made from this. */
  about: string;
  /** The text that counts when the variable is unset. */
  default?: string | undefined;
  /** What happens when it is unset and has no default. */
  unset?: string | undefined;
  /** Whether its text must be kept from others. */
  isSecret: boolean;
  /** Reads the text, or says how to put it right. */
  schema: z.ZodType<Value, string | undefined>;
};

export type Settings = Record<string, Setting>;
export type ValuesOf<Group extends Settings> = { [Name in keyof Group]: z.output<Group[Name]['schema']> };

/** A mistake that only several settings together make; it is looked for once each of them can be read. */
export type Check<Values> = { between: (keyof Values & string)[]; problem: (values: Values) => string | undefined };

/** A setting that production can't do without. */
export function required<Name extends string>(name: Name, fix: string): Check<Record<'NODE_ENV' | Name, unknown>> {
  return {
    between: ['NODE_ENV', name],
    problem: (values) =>
      values.NODE_ENV === 'production' && values[name] === undefined ? `${name} is missing; ${fix}` : undefined,
  };
}

type Description<Value> = { about: string; isSecret?: true; read: z.ZodType<Value, string> };

/** A setting that always has a value. */
export function setting<Value>(given: Description<Value> & { default: string }): Setting<Value> {
  return { isSecret: false, ...given, schema: given.read.prefault(given.default) };
}

/** A setting that may be left unset. */
export function optional<Value>(given: Description<Value> & { unset: string }): Setting<Value | undefined> {
  return { isSecret: false, ...given, schema: given.read.optional() };
}

/** What is wrong with the text of a setting, and how to put it right. It never quotes the text, which may be secret. */
export class SettingProblem extends Error {}

/** A text that this function reads, or throws a `SettingProblem` about. */
export function readBy<Value>(read: (text: string) => Value): z.ZodType<Value, string> {
  return z.string().transform((text, context) => {
    try {
      return read(text);
    } catch (error) {
      if (!(error instanceof SettingProblem)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });
}

const anyText = z.string();
const secondsPerUnit = { s: 1, m: 60, h: 3600, d: 86_400 };

/** A length of time such as `30m`, in seconds. */
export const duration = anyText
  .regex(/^[1-9]\d{0,5}[smhd]$/, 'takes a whole number of at least 1 and a unit (s, m, h, d), such as 30m')
  .transform((text) => Number(text.slice(0, -1)) * secondsPerUnit[text.at(-1) as keyof typeof secondsPerUnit]);

export const port = anyText
  .refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535, 'takes a port, 0 to 65535')
  .transform(Number);

export const wholeNumber = anyText.regex(/^[1-9]\d{0,5}$/, 'takes a whole number from 1 to 999999').transform(Number);

/** A URL that names a host, has one of these protocols, and is accepted. */
export function url(protocols: RegExp, accepts: (url: URL) => boolean, fix: string): z.ZodType<string, string> {
  return anyText.refine((text) => {
    const url = parseUrl(text);
    return url !== undefined && protocols.test(url.protocol) && isHost(url.hostname) && accepts(url);
  }, fix);
}
