import type { Request, RequestHandler } from 'express';
import { safeReturnPath } from '../../http/return-path.ts';
import { RedisUnavailable } from '../../redis/deadline.ts';
import { readLoginForm, refuseAddress } from '../../routes/login.ts';
import { parseAddress } from '../../session/email-address.ts';
import { tagIn, tagOf } from '../../session/session-id.ts';
import { auditRefused, requireSecure } from '../../session/sign-in.ts';
import { answerTooOften } from '../rate-limits/too-often.ts';
import { formSeed } from '../repeated-forms/form-id.ts';
import { codePath } from './answers.ts';
import type { Challenge } from './challenges.ts';
import { answerOver, type CodeRoutes, clientOf, nextOf, selectEntries, wantedEmail } from './code-request.ts';
import type { WaitingEntry } from './cookies.ts';

const againPath = `${codePath}?sent=again`;

/**
 * Lets the pages with the login form mention a sign-in that waits for its code in this browser. Without Redis there is
 * nothing to mention.
 */
export function mentionWaitingCode({ service, cookies, displayAddress }: CodeRoutes): RequestHandler {
  return async function mentionWaitingCode(req, res, next) {
    const isPage = req.method === 'GET' || req.method === 'HEAD';
    if (isPage && req.session.email === undefined) {
      const ids = cookies.readWaiting(req).map(({ id }) => id);
      const [waiting] = await service.waiting(ids).catch(ifUnavailable);
      if (waiting) {
        const typed = displayAddress(waiting.email);
        const loginNotice = { text: `You asked for a code for ${typed}.`, href: codePath, label: 'Enter the code' };
        Object.assign(res.locals, { loginNotice, typed, remember: waiting.remember });
      }
    }
    next();
  };
}

/** Mails a code to the address that was typed, and asks for it. */
export function askForCode(parts: CodeRoutes): RequestHandler {
  const { service, cookies, answers, https, log } = parts;

  return async function askForCode(req, res) {
    const form = readLoginForm(req);
    const address = parseAddress(form.email);
    if ('problem' in address) {
      auditRefused(log, req, 'not an address');
      return refuseAddress(req, res, form, address.problem);
    }
    if (https) requireSecure(req);
    const { email } = address;
    const { remember, next } = form;
    const previousId = cookies.readWaiting(req).find(({ id }) => tagIn(id) === tagOf(email))?.id;
    const seed = formSeed(req, previousId);
    const asked = await service.ask({ email, remember, previousId, seed }, clientOf(parts, req));
    switch (asked.outcome) {
      case 'too often':
        auditRefused(log, req, 'too often', email);
        return answerTooOften(req, res, form, asked.waitSeconds);
      case 'asked':
        cookies.addWaiting(req, res, { id: asked.id, next });
        return answers.codeNeeded(req, res, codePath);
    }
  };
}

/** Mails a new code for a sign-in that waits in this browser. */
export function askForCodeAgain(parts: CodeRoutes): RequestHandler {
  const { service, cookies, answers, https, log } = parts;

  return async function askForCodeAgain(req, res) {
    const entries = selectEntries(parts, req);
    const [entry] = entries;
    const [own] = await service.waiting(entries.map(({ id }) => id));
    const waiting = own ?? (await begunBefore(parts, req, entry));
    if (!waiting) return answerOver(parts, req, res, entries);
    if (https) requireSecure(req);
    const { id: previousId, email, remember } = waiting;
    const next = (own ? nextOf(entries, own) : entry?.next) ?? safeReturnPath(undefined);
    const seed = formSeed(req, own ? own.id : entry?.id);
    const asked = await service.ask({ email, remember, previousId, seed }, clientOf(parts, req));
    switch (asked.outcome) {
      case 'too often':
        auditRefused(log, req, 'too often', email);
        if (!own) cookies.addWaiting(req, res, { id: previousId, next });
        return answers.tooOften(req, res, { waiting, next }, asked.waitSeconds);
      case 'asked':
        cookies.addWaiting(req, res, { id: asked.id, next });
        return answers.codeNeeded(req, res, againPath);
    }
  };
}

/** The sign-in that an earlier copy of this form has begun, if the browser did not get the answer to it. */
async function begunBefore(
  { service }: CodeRoutes,
  req: Request,
  entry: WaitingEntry | undefined,
): Promise<Challenge | undefined> {
  const email = wantedEmail(req);
  if (!email || !entry) return undefined;
  const [begun] = await service.waiting([service.idFor(email, formSeed(req, entry.id))]);
  return begun;
}

function ifUnavailable(error: unknown): [] {
  if (!(error instanceof RedisUnavailable)) throw error;
  return [];
}
