import type { Request, RequestHandler, Response, Router } from 'express';
import type { Config, SessionSecrets } from './config.ts';
import type { Logger } from './log.ts';
import type { RedisClient } from './redis/client.ts';
import type { RedisUnavailable } from './redis/deadline.ts';
import type { EmailAddress } from './session/email-address.ts';
import type { ListedSession } from './session/session-index.ts';
import type { SessionStore } from './session/store.ts';

/** Development only: never loaded in production. */
export type Development = typeof import('./dev/index.ts');

/** What the core offers to its routes and to features. */
export type Core = {
  config: Config;
  secrets: SessionSecrets;
  redis: RedisClient;
  log: Logger;
  store: SessionStore;
  /** Whether an address may sign in. */
  isAllowed: (email: string) => boolean;
  /** An address as visitors read it. */
  displayAddress: (email: string) => string;
  /** Logs that Redis failed a request. */
  noteOutage: (error: RedisUnavailable) => void;
  /** Undefined in production. */
  development: Development | undefined;
  /** The site's colors and logo for mail; undefined for the defaults. */
  look?: SiteLook | undefined;
};

type Colors = Record<'accent' | 'onAccent' | 'tint', string>;

/** The site's look where its style sheets don't apply, such as in mail. A logo's URL is a path of the site. */
export type SiteLook = {
  colors?: { light: Colors; dark: Colors };
  logo?: { url: string; width: number; height: number };
};

/** A way to prove an address: it takes `POST /login`, and may have routes of its own. */
export type SignInWay = {
  /** What the login form says about it. */
  form: { button: string; note: string };
  /** Answers the login form. */
  begin: RequestHandler;
  /** Looks up a sign-in that is under way in this browser, for the pages with the login form to mention. */
  findLoginNotice?: (req: Request) => Promise<LoginNotice | undefined>;
  /** For sign-ins to an address that this way has proved before, by other means. */
  noticeNewBrowser?: NoticeNewBrowser;
  routes?: Router;
  /** Another site that takes part in it. */
  identityProvider?: IdentityProvider;
};

/**
 * Recognizes the browser that signs in, and prepares to tell the owner of the address of one that is new to it.
 * @returns what to do once the session is stored; that can't fail
 * @throws {RedisUnavailable} nobody may then be signed in
 */
export type NoticeNewBrowser = (
  req: Request,
  res: Response,
  session: { email: EmailAddress; remember: boolean; sessionId: string; proof: ProofInWords },
) => Promise<() => Promise<void>>;

/** How somebody has signed in, for the notice of a new browser. */
export type ProofInWords = {
  /** Such as `your address`, behind "signed in with". */
  means: string;
  /** What to do if it was somebody else, besides ending the session. */
  advice: string;
};

/** A site that a form may lead to, and that posts its answer back (OAuth 2.0 Form Post Response Mode). */
export type IdentityProvider = {
  /** Such as `https://id.example.com`. */
  origin: string;
  /** The one path of this site that it may post to. What arrives there must prove itself. */
  callbackPath: string;
};

/** A sign-in that is under way: where to complete it, and what was entered in the login form. */
export type LoginNotice = { text: string; href: string; label: string; typed: string; remember: boolean };

/** What a feature shows on `/admin`, below the sessions: a view, and what it reads as `locals`. */
export type AdminSection = {
  view: string;
  load: (visitor: { email: EmailAddress; sessions: ListedSession[] }) => Promise<object>;
};

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

/** What runs beside the requests, such as a port for metrics: started before the app listens, stopped after it. */
export type Service = { start?: () => Promise<void>; stop?: () => Promise<void> };
