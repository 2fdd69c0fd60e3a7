import type { Request, RequestHandler } from 'express';
import { HttpError } from '../../http/http-error.ts';
import { isOnList, readAllowListEntry } from '../../session/allow-list.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { currentEmail } from '../../session/sign-in.ts';
import { distanceMs } from '../../shared/distance.ts';

/**
 * Lets some of the signed-in visitors through. An empty list lets nobody through.
 * @param members their addresses and `@domains`, or what decides about an address; only `true` is a yes
 * @throws {Error} at once, for an entry that is neither an address nor a domain
 * @throws {HttpError} 401, or 403 for the others
 */
export function requireRole(
  members: readonly string[] | ((email: EmailAddress) => boolean | Promise<boolean>),
): RequestHandler {
  const isMember = typeof members === 'function' ? members : isOnList(members.map(readEntry));
  async function check(req: Request): Promise<void> {
    const answer = await isMember(currentEmail(req));
    if (answer !== true) throw new HttpError(403, 'Your address does not have access to this page.');
  }
  return async function requireRole(req, _res, next) {
    try {
      await check(req);
    } catch (error) {
      // Not by a rejection, for which Express 4 does not wait: the process would end. Whatever is no error, such as
      // nothing or "route", would be a yes.
      return next(error instanceof Error ? error : new Error('the predicate of requireRole failed', { cause: error }));
    }
    next();
  };
}

/**
 * Lets visitors through who logged in a short time ago, for what a stolen or forgotten session must not do (ASVS 7.5.1).
 * @throws {HttpError} 401, with the form to log in once more; `res.locals.remember` has the choice to stay signed in
 */
export function requireFreshLogin({ withinSeconds }: { withinSeconds: number }): RequestHandler {
  if (!(withinSeconds > 0)) throw new RangeError('withinSeconds must be a positive number');
  return function requireFreshLogin(req, res, next) {
    currentEmail(req);
    if (distanceMs(req.session.signedInAt ?? 0) <= withinSeconds * 1000) return next();
    // The login form takes it over, or the session that follows would end with the browser.
    res.locals.remember = req.session.remember;
    throw new HttpError(401, 'Please log in again to continue.');
  };
}

function readEntry(entry: string): string {
  const canonical = readAllowListEntry(entry);
  if (canonical === undefined) throw new Error(`${JSON.stringify(entry)} is neither an address nor an @domain`);
  return canonical;
}
