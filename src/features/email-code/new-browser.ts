import type { Request, Response } from 'express';
import type { EmailAddress } from '../../session/email-address.ts';
import { tagOf } from '../../session/session-id.ts';
import type { CodeMails } from './code-mails.ts';
import { type CodeRoutes, clientOf } from './code-request.ts';
import { newDeviceId } from './known-browsers.ts';

declare module '../../core.ts' {
  interface SignInWay {
    /** For sign-ins to an address that this way has proved before, by other means. */
    noticeNewBrowser?: NoticeNewBrowser;
  }
}

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

/** Makes browsers known that sign in by other means than a code, and sends the notice of a new one. */
export function noticeNewBrowser(
  codes: Pick<CodeRoutes, 'cookies' | 'knownBrowsers' | 'origin'>,
  mails: Pick<CodeMails, 'prepareNotice'>,
): NoticeNewBrowser {
  const { cookies, knownBrowsers } = codes;

  return async function noticeNewBrowser(req, res, { email, remember, sessionId, proof }) {
    const tag = tagOf(email);
    const cookie = cookies.readDevice(req);
    const { candidate, isKnown } = knownBrowsers.lookUp(cookie, tag);
    const knownId = (await isKnown) ? candidate : undefined;
    const deviceId = knownId ?? newDeviceId();
    if (knownId === undefined) await knownBrowsers.awaitNotice(tag, deviceId);
    cookies.writeDevice(res, knownBrowsers.cookieWith(cookie, tag, deviceId));
    if (knownId !== undefined) return async () => {};
    return mails.prepareNotice({ email, remember, sessionId, deviceId }, clientOf(codes, req), proof);
  };
}
