import type { Request, RequestHandler, Response } from 'express';
import { safeReturnPath } from '../../http/return-path.ts';
import { bodyField } from '../../middleware/bodies.ts';
import { answerDone, readLoginForm } from '../../routes/login.ts';
import { tagIn } from '../../session/session-id.ts';
import { auditRefused, signIn } from '../../session/sign-in.ts';
import { answerTooOften } from '../rate-limits/too-often.ts';
import { resumeSession, storedWithinMs } from '../repeated-forms/repeated-forms.ts';
import { triesText } from './answers.ts';
import type { Granted } from './challenges.ts';
import { readCode } from './code.ts';
import { answerOver, type CodeRoutes, clientOf, nextOf, selectEntries, wantedEmail } from './code-request.ts';
import type { WaitingEntry } from './cookies.ts';
import type { Client, EnterResult } from './service.ts';

const maxKeptLength = 100;

/**
 * Asks for the code of the sign-in that was asked for last, or the one that the query names. Where none waits, the page
 * shows the code that a mail's link brought. Signed in or not, this is no redirect: browsers would take the code along.
 */
export function showCodeForm(parts: CodeRoutes): RequestHandler {
  const { service, cookies, answers } = parts;

  return async function showCodeForm(req, res) {
    const entries = cookies.readWaiting(req);
    const all = await service.waiting(entries.map(({ id }) => id));
    const waiting = all.find(({ id }) => tagIn(id) === req.query.for) ?? all[0];
    const others = all.filter((challenge) => challenge !== waiting);
    const hasNoCookies = req.headers.cookie === undefined;
    answers.codeForm(res, {
      waiting,
      others,
      next: waiting ? nextOf(entries, waiting) : (entries[0]?.next ?? safeReturnPath(req.query.next)),
      sentAgain: req.query.sent === 'again',
      hasNoCookies,
    });
  };
}

/** Signs in under the waiting address when the code is right. */
export function enterCode(parts: CodeRoutes): RequestHandler {
  const { service, answers, log } = parts;

  return async function enterCode(req, res) {
    const entries = selectEntries(parts, req);
    const ids = entries.map(({ id }) => id);
    const typed = bodyField(req, 'code');
    const code = readCode(typed);
    if (code === undefined) {
      const [waiting] = await service.waiting(ids);
      if (!waiting) return answerNotWaiting(parts, req, res, entries);
      auditRefused(log, req, 'not a code', waiting.email);
      const kept = typeof typed === 'string' && typed.length <= maxKeptLength ? typed : undefined;
      return answers.problem(req, res, {
        ...{ waiting, next: nextOf(entries, waiting) },
        ...{ problem: 'Enter the eight digits of the code.', typed: kept },
      });
    }
    const client = clientOf(parts, req);
    await answerEntered(parts, req, res, { entries, client }, await service.enter(ids, code, client));
  };
}

async function answerEntered(
  parts: CodeRoutes,
  req: Request,
  res: Response,
  { entries, client }: { entries: WaitingEntry[]; client: Client },
  entered: EnterResult,
): Promise<void> {
  const { service, answers, log } = parts;
  switch (entered.outcome) {
    case 'right':
      await signInGranted(parts, req, client, entered);
      return answerSignedIn(parts, req, res, entries, entered);
    case 'repeated': {
      if (await resumeSession(req, entered.sessionId, storedWithinMs - entered.ageMs)) {
        return answerSignedIn(parts, req, res, entries, entered);
      }
      const again = await service.grantAgain(entered);
      if (again) {
        await signInGranted(parts, req, client, again);
        return answerSignedIn(parts, req, res, entries, again);
      }
      auditRefused(log, req, 'code no longer good', entered.email);
      return answerOver(parts, req, res, entries, entered);
    }
    case 'wrong': {
      const { waiting, triesLeft, isRefused } = entered;
      // Answered the same: that others entered codes for this address is not for this browser to know, nor whether there
      // is a newer code.
      auditRefused(log, req, isRefused ? 'enough guesses for now' : 'wrong code', waiting.email);
      return answers.problem(req, res, {
        ...{ waiting, next: nextOf(entries, waiting) },
        problem: `That is not the code. If you got several mails, use the newest one. ${triesText(triesLeft)}`,
      });
    }
    case 'too often': {
      const { waiting, waitSeconds } = entered;
      auditRefused(log, req, 'too often', waiting?.email);
      return waiting
        ? answers.tooOften(req, res, { waiting, next: nextOf(entries, waiting) }, waitSeconds)
        : answerTooOften(req, res, readLoginForm(req), waitSeconds);
    }
    case 'over':
      auditRefused(log, req, 'code no longer good', entered.email);
      return answerOver(parts, req, res, entries, entered);
    case 'not waiting':
      return answerNotWaiting(parts, req, res, entries);
  }
}

async function signInGranted(
  parts: CodeRoutes,
  req: Request,
  client: Client,
  granted: Extract<EnterResult, { outcome: 'right' }>,
): Promise<void> {
  const { email, remember, sessionId } = granted;
  const [announce] = await Promise.all([
    parts.service.prepareSignIn(granted, client),
    signIn(req, email, { remember, sessionId }),
  ]);
  await announce();
}

function answerSignedIn(
  { cookies, knownBrowsers }: CodeRoutes,
  req: Request,
  res: Response,
  entries: WaitingEntry[],
  { sessionId, deviceId }: Granted,
): void {
  const tag = tagIn(sessionId);
  cookies.writeDevice(res, knownBrowsers.cookieWith(cookies.readDevice(req), tag, deviceId));
  cookies.removeWaiting(req, res, [tag]);
  answerDone(req, res, entries.find(({ id }) => tagIn(id) === tag)?.next ?? safeReturnPath(bodyField(req, 'next')));
}

// A second tab, whose code was used in the first.
function answerNotWaiting(parts: CodeRoutes, req: Request, res: Response, entries: WaitingEntry[]): void {
  const { email } = req.session;
  if (email !== undefined && [undefined, email].includes(wantedEmail(req))) {
    answerDone(req, res, entries[0]?.next ?? safeReturnPath(bodyField(req, 'next')));
  } else {
    auditRefused(parts.log, req, 'no code is waited for');
    answerOver(parts, req, res, entries);
  }
}
