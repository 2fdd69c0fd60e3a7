import type { RequestHandler, Router } from 'express';
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
export interface Core {
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
}

/** A way to prove an address: it takes `POST /login`, and may have routes of its own. */
export interface SignInWay {
  /** What the login form says about it. */
  form: { button: string; note: string };
  /** Answers the login form. */
  begin: RequestHandler;
  routes?: Router;
  /** Another site that takes part in it. */
  identityProvider?: IdentityProvider;
}

/** Another site that takes part in a sign-in. See docs/forking.md for what can go wrong. */
export type IdentityProvider = {
  /** Where forms may lead, such as `https://id.example.com`, and every origin that they are redirected to from there. */
  formOrigins: string[];
  /** What may post its answer to one path (form_post). No session comes with it (`SameSite=Lax`), so it proves itself. */
  callback?: { origin: string; path: string };
};

/** What a feature shows on `/admin`, below the sessions: a view, and what it reads as `locals`. */
export type AdminSection = {
  view: string;
  load: (visitor: { email: EmailAddress; sessions: ListedSession[] }) => Promise<object>;
};

/** What runs beside the requests: started before the app listens, stopped after it. */
export type Service = { start?: () => Promise<void>; stop?: () => Promise<void> };
