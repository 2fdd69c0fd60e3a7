import type { Request, RequestHandler, Response } from 'express';
import { HttpError } from '../../http/http-error.ts';
import { requestFields } from '../../log.ts';
import { bodyField } from '../../middleware/bodies.ts';
import { setFlash, takeFlash } from '../../session/flash.ts';
import { handleOf as sessionHandleOf, tagOf } from '../../session/session-id.ts';
import { currentEmail, saveSession } from '../../session/sign-in.ts';
import { maxPasskeys } from './accounts.ts';
import { listPath, tooOften } from './add-routes.ts';
import { causeOf, type PasskeyRoutes, requireParty } from './passkey-request.ts';
import { providerName } from './providers.ts';
import { type Account, handleOf, isHandle, type Passkey } from './record.ts';

const maxNameLength = 60;

/** A passkey as its owner sees it. */
export type ListedPasskey = Pick<Passkey, 'name' | 'createdAt' | 'lastUsedAt' | 'isSyncable' | 'isSynced'> & {
  handle: string;
  provider: string | undefined;
};

/** Lists the visitor's passkeys. */
export function showPasskeys(parts: PasskeyRoutes): RequestHandler {
  return async function showPasskeys(req, res) {
    const { id: rpId } = requireParty(parts, req);
    const account = await parts.accounts.load(currentEmail(req));
    res.render('passkeys/list', {
      flash: takeFlash(req),
      maxPasskeys,
      passkeys: listed(account),
      signals: account && signalsOf(account, rpId),
    });
  };
}

/** What tells a provider which passkeys are left (WebAuthn, 5.1.10); the view adds the name. */
export function signalsOf({ userHandle, passkeys }: Account, rpId: string): object {
  return { rpId, userId: userHandle, ids: passkeys.map(({ id }) => id) };
}

/** Asks for another name. */
export function showRenaming(parts: PasskeyRoutes): RequestHandler {
  return async function showRenaming(req, res) {
    const { passkey } = await findOwn(parts, req, req.query.passkey);
    res.render('passkeys/rename', { passkey, typed: passkey.name });
  };
}

/** Gives one of the visitor's passkeys another name. */
export function renamePasskey(parts: PasskeyRoutes): RequestHandler {
  return async function renamePasskey(req, res) {
    const { passkey } = await findOwn(parts, req, bodyField(req, 'passkey'));
    const typed = bodyField(req, 'name');
    const name = typeof typed === 'string' ? typed.normalize('NFC').trim().replace(/\s+/gu, ' ') : '';
    const problem = problemOf(name);
    if (problem !== undefined) {
      res.status(422).render('passkeys/rename', { passkey, typed: name.slice(0, 10 * maxNameLength), problem });
      return;
    }
    if (!(await parts.accounts.rename(currentEmail(req), passkey.handle, name))) throw noSuchPasskey();
    await answerChanged(req, res, `The passkey is called ${name} now.`);
  };
}

/** Asks before a passkey is removed. */
export function showRemoval(parts: PasskeyRoutes): RequestHandler {
  return async function showRemoval(req, res) {
    const { passkey, isLast } = await findOwn(parts, req, req.query.passkey);
    res.render('passkeys/remove', { passkey, isLast });
  };
}

/** Removes one of the visitor's passkeys. */
export function removePasskey(parts: PasskeyRoutes): RequestHandler {
  const { service, log } = parts;

  return async function removePasskey(req, res) {
    const email = currentEmail(req);
    const handle = handleIn(req);
    const result = await service.remove(email, handle, causeOf(req, requireParty(parts, req)));
    if (result.outcome === 'too often') throw tooOften(result.waitSeconds);
    if (result.outcome === 'gone') return answerChanged(req, res, 'You have no such passkey any more.');
    const about = { ...requestFields(req), person: tagOf(email), by: sessionHandleOf(req.sessionID) };
    log.info({ ...about, passkey: handle }, 'passkey removed');
    const rest = result.left === 0 ? ' It was your last one: from now on, log in with a code.' : '';
    await answerChanged(req, res, `The passkey has been removed.${rest}`);
  };
}

/** @throws {HttpError} 404 when the visitor has no such passkey */
async function findOwn(
  { accounts }: PasskeyRoutes,
  req: Request,
  wanted: unknown,
): Promise<{ passkey: ListedPasskey; isLast: boolean }> {
  const passkeys = listed(await accounts.load(currentEmail(req)));
  const passkey = passkeys.find(({ handle }) => handle === wanted);
  if (passkey) return { passkey, isLast: passkeys.length === 1 };
  throw noSuchPasskey();
}

function noSuchPasskey(): HttpError {
  return new HttpError(404, 'You have no such passkey.', { link: { href: listPath, label: 'Your passkeys' } });
}

/** The passkeys of an account as its owner sees them. */
function listed(account: Account | undefined): ListedPasskey[] {
  return (account?.passkeys ?? []).map(({ id, aaguid, name, createdAt, lastUsedAt, isSyncable, isSynced }) => ({
    ...{ handle: handleOf(id), provider: providerName(aaguid), name, createdAt, lastUsedAt, isSyncable, isSynced },
  }));
}

// What joins letters and emojis, or chooses how they look, is a part of those: Persian words and many emojis have it.
const joiners = /(?<=[^\s\p{C}\p{DI}])[\p{Join_Control}\p{Variation_Selector}]+/gu;
// Flags such as that of Scotland are a black one, and the name of the region in invisible characters (UTS 51, C.1).
const regions = /(?<=\u{1f3f4})[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]+\u{e007f}/gu;

function problemOf(name: string): string | undefined {
  const seen = name.replace(joiners, '').replace(regions, '');
  // Unicode does not count the blank of Braille as white space.
  if (/^[\s\u2800]*$/.test(seen)) return 'Enter a name.';
  if ([...name].length > maxNameLength) return `That name is too long. It can have up to ${maxNameLength} characters.`;
  return /[\p{C}\p{DI}]/u.test(seen) ? 'That name has characters that nobody can see.' : undefined;
}

function handleIn(req: Request): string {
  const handle = bodyField(req, 'passkey');
  if (isHandle(handle)) return handle;
  throw new HttpError(422, 'Which passkey? Go back and choose one from the list.');
}

async function answerChanged(req: Request, res: Response, message: string): Promise<void> {
  setFlash(req, message);
  // It is done, even if Redis has no room for the message.
  await saveSession(req).catch(() => {});
  res.redirect(303, listPath);
}
