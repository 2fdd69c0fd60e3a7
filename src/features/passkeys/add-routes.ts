import type { Request, RequestHandler } from 'express';
import { HttpError } from '../../http/http-error.ts';
import { safeReturnPath } from '../../http/return-path.ts';
import { requestFields } from '../../log.ts';
import { bodyField } from '../../middleware/bodies.ts';
import { setFlash } from '../../session/flash.ts';
import { handleOf as sessionHandleOf, tagIn, tagOf } from '../../session/session-id.ts';
import { currentEmail, saveSession } from '../../session/sign-in.ts';
import { cutText } from '../../shared/cut-text.ts';
import { tooOftenText } from '../rate-limits/too-often.ts';
import { maxPasskeys } from './accounts.ts';
import { clientOf, type PasskeyRoutes, requireParty } from './passkey-request.ts';
import { handleOf } from './record.ts';
import type { AddResult } from './service.ts';

export const listPath = '/passkeys';
export const addPath = '/passkeys/add';

/**
 * Offers a passkey: on the way from a sign-in by code to where that leads, and to whoever had to log in again before
 * adding one.
 */
export function showOffer(parts: PasskeyRoutes): RequestHandler {
  return function showOffer(req, res) {
    requireParty(parts, req);
    const { next } = req.query;
    const isOnTheWay = typeof next === 'string';
    res.render('passkeys/add', { next: isOnTheWay ? safeReturnPath(next) : listPath, isOnTheWay });
  };
}

/** Tells a browser what passkey to make. */
export function sendCreationOptions(parts: PasskeyRoutes): RequestHandler {
  return async function sendCreationOptions(req, res) {
    const party = requireParty(parts, req);
    requireSameOwner(req);
    const browser = parts.cookies.ensureBrowser(req, res);
    const options = await parts.service.creationOptions(currentEmail(req), browser, party);
    if (!options) throw new HttpError(422, problems.full);
    res.json(options);
  };
}

/** Adds the passkey that the browser has made. */
export function addPasskey(parts: PasskeyRoutes): RequestHandler {
  const { service, log } = parts;

  return async function addPasskey(req, res) {
    const client = clientOf(parts, req);
    requireSameOwner(req);
    const email = currentEmail(req);
    const result = await service.add(email, bodyField(req, 'credential'), client);
    if (result.outcome !== 'added') throw explainNotAdded(parts, req, result);
    const about = { ...requestFields(req), person: tagOf(email), by: sessionHandleOf(req.sessionID) };
    log.info({ ...about, passkey: handleOf(result.passkey.id) }, 'passkey added');
    parts.cookies.noteOffered(res);
    const next = safeReturnPath(bodyField(req, 'next') ?? listPath);
    if (next === listPath || next === '/admin') {
      setFlash(req, 'The passkey has been added. From now on, you can log in with it.');
      // It has been added, even if Redis has no room for the message.
      await saveSession(req).catch(() => {});
    }
    res.status(201).json({ status: 'done', next });
  };
}

const problems = {
  expired: 'That took too long. Please try again.',
  full: `You have ${maxPasskeys} passkeys, which is the most an address can have. Remove one first.`,
  there: 'This passkey has been added already.',
  'not allowed': 'Your address may not log in here.',
  refused: 'The passkey could not be verified, so it was not added. Please try again.',
};

function explainNotAdded(
  { log }: PasskeyRoutes,
  req: Request,
  result: Exclude<AddResult, { outcome: 'added' }>,
): HttpError {
  const problem = 'problem' in result ? { problem: cutText(result.problem, 200) } : {};
  const about = { ...requestFields(req), person: tagOf(currentEmail(req)), reason: result.outcome };
  log.info({ ...about, ...problem }, 'passkey not added');
  if (result.outcome !== 'too often') return new HttpError(422, problems[result.outcome]);
  return tooOften(result.waitSeconds);
}

/** The answer to a change of passkeys that its limit does not allow. */
export function tooOften(waitSeconds: number): HttpError {
  const headers = { 'Retry-After': String(waitSeconds) };
  return new HttpError(429, tooOftenText(waitSeconds), { headers, link: { href: listPath, label: 'Your passkeys' } });
}

// Another tab may have signed in as somebody else: what this page shows is not who would get the passkey.
function requireSameOwner(req: Request): void {
  if (bodyField(req, 'owner') === tagIn(req.sessionID)) return;
  throw new HttpError(409, 'Somebody else has logged in in this browser. Open this page again.');
}
