import type { Request, RequestHandler } from 'express';
import { HttpError } from '../../http/http-error.ts';
import { requestFields } from '../../log.ts';
import { bodyField } from '../../middleware/bodies.ts';
import { tagOf } from '../../session/session-id.ts';
import { signOut } from '../../session/sign-in.ts';
import { maxPasskeys } from './accounts.ts';
import { listPath, tooOften } from './add-routes.ts';
import { signalsOf } from './list-routes.ts';
import { causeOf, type PasskeyRoutes, requireParty } from './passkey-request.ts';
import { handleOf } from './record.ts';
import type { Outcome, Undo } from './undo-links.ts';

/** Where the link of a mail leads: a button, since whatever opens links must not change anything. */
export function showUndo({ links }: PasskeyRoutes): RequestHandler {
  return async function showUndo(req, res) {
    const { token } = req.query;
    const undo = await links.find(token);
    if (!undo || undo.outcome !== undefined) throw usedUp(req);
    res.render('passkeys/undo', { token, action: undo.action, passkey: undo.passkey });
  };
}

/** Undoes what the mail told of. A second press, or a reload, does nothing more and is told the same. */
export function undoChange(parts: PasskeyRoutes): RequestHandler {
  return async function undoChange(req, res) {
    const token = bodyField(req, 'token');
    const undo = await parts.links.find(token);
    if (typeof token !== 'string' || !undo) throw usedUp(req);
    const { action, email } = undo;
    const outcome = undo.outcome ?? (await undoOnce(parts, req, token, undo));
    if (action === 'remove' && undo.outcome === undefined && req.session.email === email) {
      await signOut(req, res);
      res.locals.email = undefined;
    }
    const party = parts.partyOf(req);
    const account = party && (await parts.accounts.load(email));
    const signals = account && signalsOf(account, party.id);
    res.render('passkeys/undo', { token: undefined, action, outcome, signals });
  };
}

async function undoOnce(parts: PasskeyRoutes, req: Request, token: string, undo: Undo): Promise<Outcome> {
  const { action, email, passkey } = undo;
  // First the change: if Redis refuses, the link is still there for another try.
  const outcome = await undoAs[action](parts, undo, req);
  const earlier = await parts.links.use(token, undo, outcome);
  if (outcome === 'was gone' || outcome === 'was there') return earlier ?? outcome;
  const about = { ...requestFields(req), person: tagOf(email), passkey: handleOf(passkey.id), by: 'link' };
  parts.log.info(about, `passkey ${outcome}`);
  return outcome;
}

type Undoing = (parts: PasskeyRoutes, undo: Undo, req: Request) => Promise<Outcome>;

const undoAs: Record<Undo['action'], Undoing> = {
  // Whoever added it was logged in, and would only add another one.
  async remove({ accounts, store, log }, { email, passkey }, req) {
    const handle = handleOf(passkey.id);
    // Otherwise a stranger who had already removed the passkey could restore it with the link in the mail about that.
    await accounts.revokeLinks(email, handle);
    const left = await accounts.remove(email, handle);
    const ended = await store.index.endAll(email);
    log.info({ ...requestFields(req), person: tagOf(email), ended, by: 'link' }, 'all sessions ended');
    return left === undefined ? 'was gone' : 'removed';
  },
  async restore(parts, undo, req) {
    const result = await parts.service.restore(undo, causeOf(req, requireParty(parts, req)));
    switch (result.outcome) {
      case 'added':
        return 'restored';
      case 'there':
        return 'was there';
      case 'full':
        throw new HttpError(
          422,
          `This address has ${maxPasskeys} passkeys again, which is the most it can have. Remove one, then open the link again.`,
          { link: { href: listPath, label: 'Your passkeys' } },
        );
      case 'other':
        throw usedUp(req);
      case 'too often':
        throw tooOften(result.waitSeconds);
    }
  },
};

function usedUp(req: Request): HttpError {
  const isSignedIn = req.session.email !== undefined;
  const link = isSignedIn ? { href: listPath, label: 'Your passkeys' } : { href: '/login', label: 'Log in' };
  const note = `You can see all of your passkeys, and remove any of them${isSignedIn ? '' : ', once you have logged in'}.`;
  return new HttpError(410, 'This link has been used or revoked, or is too old.', { note, link });
}
