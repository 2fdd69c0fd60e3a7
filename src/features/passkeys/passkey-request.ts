import type { Request } from 'express';
import type { Core, SignInWay } from '../../core.ts';
import { HttpError } from '../../http/http-error.ts';
import { describeDevice } from '../../http/user-agent.ts';
import type { Cause } from '../email-code/code-mails.ts';
import type { Accounts } from './accounts.ts';
import type { PasskeyCookies } from './cookies.ts';
import type { RelyingParty } from './relying-party.ts';
import type { Client, PasskeyService } from './service.ts';
import type { UndoLinks } from './undo-links.ts';

/** What the routes of passkeys share. */
export type PasskeyRoutes = Pick<Core, 'log' | 'store'> & {
  service: PasskeyService;
  accounts: Accounts;
  links: UndoLinks;
  cookies: PasskeyCookies;
  partyOf: (req: Request) => RelyingParty | undefined;
  noticeNewBrowser: NonNullable<SignInWay['noticeNewBrowser']>;
  https: boolean;
};

/** @throws {HttpError} 404 where browsers have no passkeys */
export function requireParty({ partyOf }: PasskeyRoutes, req: Request): RelyingParty {
  const party = partyOf(req);
  if (!party) throw new HttpError(404, 'Passkeys work only if this site is opened by its name, over https.');
  return party;
}

/** Who sent a request. */
export function clientOf(parts: PasskeyRoutes, req: Request): Client {
  const party = requireParty(parts, req);
  return { ...causeOf(req, party), ip: req.ip, browser: parts.cookies.readBrowser(req), party };
}

/** What mails say about a request. */
export function causeOf(req: Request, { origin }: RelyingParty): Cause {
  return { requestId: req.id, device: describeDevice(req.headers['user-agent'] ?? ''), origin };
}
