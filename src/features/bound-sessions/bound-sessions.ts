import type { RequestHandler, Router } from 'express';
import type { Core } from '../../core.ts';
import type { PersonalKeys } from '../../shared/operations.ts';
import type { MailFeature } from '../mail/mail.ts';
import { keepBindings } from './binding.ts';
import { BoundCookies } from './bound-cookie.ts';
import { Challenges } from './challenges.ts';
import { requireBoundCookie } from './guard.ts';
import { boundSessionKeys } from './personal-keys.ts';
import { Refusals } from './refusals.ts';
import { type BoundParts, boundSessionRoutes, pausedRoutes } from './routes.ts';
import { SessionNames } from './session-names.ts';
import { theftMails } from './theft-mails.ts';

/** No routes over http. When the feature is off, only the route that tells browsers to try again later. */
export type BoundSessions = {
  personalKeys: PersonalKeys[];
  /** Where browsers prove their keys; before the session is loaded. */
  routes?: Router;
  /** Treats a bound session as signed out unless it comes with proof; runs after the session middleware. */
  guard?: RequestHandler;
};

/**
 * Binds sessions to the device on which they began, where the browser supports it (Device Bound Session Credentials). There
 * is no such thing over http.
 */
export function openBoundSessions(core: Core, { outbox }: MailFeature): BoundSessions {
  const { config, secrets, redis, store, log } = core;
  const { origin, https, signIn, boundSessions } = config;
  keepBindings(store);
  const personalKeys = [boundSessionKeys];
  if (!https || origin === undefined) return { personalKeys };
  if (!boundSessions.isOn) return { personalKeys, routes: pausedRoutes() };
  // An address that was never proved may be anybody's.
  const mails = outbox && signIn === 'code' ? theftMails(core, outbox) : undefined;
  const parts: BoundParts = {
    store,
    secrets,
    redis,
    log,
    cookies: new BoundCookies(secrets),
    challenges: new Challenges(secrets),
    names: new SessionNames(secrets),
    refusals: new Refusals({ redis, log, mails }),
  };
  return { personalKeys, routes: boundSessionRoutes(parts), guard: requireBoundCookie(parts, origin) };
}
