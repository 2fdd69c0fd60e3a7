import type { NoticeNewBrowser } from '../../core.ts';
import { tagOf } from '../../session/session-id.ts';
import type { CodeMails } from './code-mails.ts';
import { type CodeRoutes, clientOf } from './code-request.ts';
import { newDeviceId } from './known-browsers.ts';

/**
 * Makes browsers known that sign in by other means than a code, and sends the notice of a new one.
 */
export function noticeNewBrowser(codes: CodeRoutes, mails: CodeMails): NoticeNewBrowser {
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
