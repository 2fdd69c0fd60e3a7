import type { Request, RequestHandler, Response } from 'express';
import { answerAs } from '../../http/content-negotiation.ts';
import { requestFields } from '../../log.ts';
import { bodyField } from '../../middleware/bodies.ts';
import { answerDone, readLoginForm } from '../../routes/login.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { newSessionId, handleOf as sessionHandleOf, tagOf } from '../../session/session-id.ts';
import { auditRefused, requireSecure, signIn, signOut } from '../../session/sign-in.ts';
import { cutText } from '../../shared/cut-text.ts';
import { announceOutcomes } from '../../shared/sign-in-outcomes.ts';
import { answerTooOften } from '../rate-limits/too-often.ts';
import { clientOf, type PasskeyRoutes, requireParty } from './passkey-request.ts';
import { handleOf } from './record.ts';
import type { RelyingParty } from './relying-party.ts';
import type { SignInResult } from './service.ts';

/** Tells a browser what to have signed. It costs no key in Redis, since pages ask for it as they are opened. */
export function sendRequestOptions(parts: PasskeyRoutes): RequestHandler {
  return function sendRequestOptions(req, res) {
    const party = requireParty(parts, req);
    res.json(parts.service.requestOptions(parts.cookies.ensureBrowser(req, res), party));
  };
}

const proof = {
  means: 'a passkey of yours',
  advice:
    'Then log in, and remove the passkey that was used: whoever signed in has it, or can unlock a device of yours.',
};

/** Signs in whoever proves a passkey. */
export function signInWithPasskey(parts: PasskeyRoutes): RequestHandler {
  const { service, log, https } = parts;

  return async function signInWithPasskey(req, res) {
    if (https) requireSecure(req);
    const client = clientOf(parts, req);
    const result = await service.signIn(bodyField(req, 'credential'), client);
    if (result.outcome !== 'verified') return answerRefused(parts, req, res, result);
    const { email } = result.account;
    const { remember, next } = readLoginForm(req);
    const sessionId = newSessionId(tagOf(email));
    // First, since it can fail: no session may be stored that its owner would not be told of.
    const announce = await parts.noticeNewBrowser(req, res, { email, remember, sessionId, proof });
    await signIn(req, email, { remember, sessionId, means: 'with a passkey' });
    // Its removal by the link in a mail ends all sessions that are stored by then, and this one may not have been.
    const isThere = await service.isThere(result).catch(async (error: unknown) => {
      // Without an answer nobody stays signed in. Even where the session is left in Redis, nobody gets its cookie.
      await signOut(req, res).catch(() => {});
      throw error;
    });
    if (!isThere) {
      await signOut(req, res);
      const { id: credentialId } = result.passkey;
      return answerRefused(parts, req, res, { outcome: 'unknown', credentialId, wasRemoved: true });
    }
    log.info(
      { ...requestFields(req), session: sessionHandleOf(sessionId), passkey: handleOf(result.passkey.id) },
      'passkey used',
    );
    await Promise.all([announce(), service.reportCounter(result, client)]);
    answerDone(req, res, next);
  };
}

/** Lets the outcomes of sign-ins by passkey be counted from zero on. */
export function announcePasskeyOutcomes(): void {
  announceOutcomes('passkey challenge expired', 'passkey removed', 'passkey unknown', 'passkey not verified');
  announceOutcomes('too often', 'not in ALLOWED_EMAILS');
}

type NotSignedIn = Exclude<SignInResult, { outcome: 'verified' }>;
type Refusal = { reason: string; problem: string; email?: EmailAddress; details?: object };

function answerRefused(parts: PasskeyRoutes, req: Request, res: Response, result: NotSignedIn): void {
  if (result.outcome === 'too often') {
    auditRefused(parts.log, req, 'too often', result.email);
    answerTooOften(req, res, readLoginForm(req), result.waitSeconds);
    return;
  }
  if (result.outcome === 'refused') {
    parts.log.info({ ...requestFields(req), problem: cutText(result.problem, 200) }, 'passkey not verified');
  }
  const { reason, problem, email, details } = refusalOf(result, requireParty(parts, req));
  auditRefused(parts.log, req, reason, email);
  res.status(422);
  answerAs(req, res, {
    html: () => {
      const { next, remember } = readLoginForm(req);
      res.render('login', { next, remember, notice: problem });
    },
    text: () => res.type('text').send(`${problem}\n`),
    json: () => res.json({ error: problem, ...details }),
  });
}

function refusalOf(result: Exclude<NotSignedIn, { outcome: 'too often' }>, { id: rpId }: RelyingParty): Refusal {
  const otherwise = 'Log in with your e-mail address instead.';
  switch (result.outcome) {
    case 'expired':
      return { reason: 'passkey challenge expired', problem: 'That took too long. Please try again.' };
    case 'unknown': {
      const { credentialId, wasRemoved } = result;
      // Of one that is merely missing the browser is not told: Redis may have lost it, and get it back from a backup.
      return wasRemoved
        ? {
            reason: 'passkey removed',
            problem: `This passkey has been removed. ${otherwise}`,
            details: { unknownCredential: { rpId, credentialId } },
          }
        : { reason: 'passkey unknown', problem: `This passkey is not known here. ${otherwise}` };
    }
    case 'refused':
      return { reason: 'passkey not verified', problem: `This passkey could not be verified. ${otherwise}` };
    case 'not allowed': {
      const problem = 'The address of this passkey may not log in here.';
      return { reason: 'not in ALLOWED_EMAILS', problem, email: result.email };
    }
  }
}
