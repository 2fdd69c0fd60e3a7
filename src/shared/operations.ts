import type { EmailAddress } from '../session/email-address.ts';

/** An address, and its tag. */
export type Person = { email: EmailAddress; tag: string };

/** A kind of key that says something about a person: `latchkey export` shows it, and `latchkey forget` deletes it. */
export type PersonalKeys = {
  /** Such as `codes`. */
  kind: string;
  /** What its keys begin with: `c:{tag}` for those that carry the tag of an address, otherwise such as `n:`. */
  prefix: string;
  /**
   * What the export shows of a key, and never what would let somebody sign in. Undefined if it is somebody else's.
   * @param name the key
   * @param value a string, the members of a list, set or sorted set, or a hash
   */
  describe: (name: string, value: StoredValue, person: Person) => object | undefined;
  /** Deletes what belongs to the key besides. */
  forget?: (name: string, person: Person) => Promise<unknown>;
};

/** What `latchkey doctor` finds. */
export type Finding = {
  /** What it has looked at, such as `mail server`. */
  what: string;
  /** What it has seen, in a few words. */
  detail?: string;
  /** What is wrong and what to do; undefined if all is well. */
  problem?: string | undefined;
};

/** Looks at something outside the app; with `mailTo`, it also sends a mail there. */
export type SelfCheck = { what: string; run: (options: { mailTo: EmailAddress | undefined }) => Promise<Finding[]> };

/** What the features hand to the operator's commands. */
export type Operations = { personalKeys: PersonalKeys[]; selfChecks: SelfCheck[] };

export type StoredValue = string | string[] | Record<string, string>;

declare module '../core.ts' {
  interface Core {
    operations?: Operations;
  }
}
