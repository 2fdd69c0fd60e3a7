import type { Request, Response } from 'express';
import type { Core } from '../../core.ts';
import { safeReturnPath } from '../../http/return-path.ts';
import { isLoopback, parseUrl } from '../../http/url.ts';
import { describeDevice } from '../../http/user-agent.ts';
import { bodyField } from '../../middleware/bodies.ts';
import { readLoginForm } from '../../routes/login.ts';
import { type EmailAddress, parseAddress } from '../../session/email-address.ts';
import { tagIn, tagOf } from '../../session/session-id.ts';
import type { CodeAnswers } from './answers.ts';
import type { Challenge } from './challenges.ts';
import type { CodeCookies, WaitingEntry } from './cookies.ts';
import type { KnownBrowsers } from './known-browsers.ts';
import type { Client, EmailCodeService } from './service.ts';

/** What the routes of sign-in by code share. */
export type CodeRoutes = Pick<Core, 'displayAddress' | 'log'> & {
  service: EmailCodeService;
  cookies: CodeCookies;
  knownBrowsers: KnownBrowsers;
  answers: CodeAnswers;
  /** The site's public origin; in development perhaps undefined, and then a loopback one. */
  origin: string | undefined;
  https: boolean;
};

/** The sign-ins that a form is for: that of the address it names, or all that wait in this browser. */
export function selectEntries({ cookies }: CodeRoutes, req: Request): WaitingEntry[] {
  const entries = cookies.readWaiting(req);
  const email = wantedEmail(req);
  return email === undefined ? entries : entries.filter(({ id }) => tagIn(id) === tagOf(email));
}

/** Where a sign-in leads. */
export function nextOf(entries: WaitingEntry[], challenge: Pick<Challenge, 'id'> | undefined): string | undefined {
  return entries.find(({ id }) => id === challenge?.id)?.next;
}

/** The address that a form names. */
export function wantedEmail(req: Request): EmailAddress | undefined {
  const address = parseAddress(bodyField(req, 'email'));
  return 'email' in address ? address.email : undefined;
}

export function clientOf({ cookies, origin }: Pick<CodeRoutes, 'cookies' | 'origin'>, req: Request): Client {
  return {
    requestId: req.id,
    ip: req.ip,
    deviceCookie: cookies.readDevice(req),
    device: describeDevice(req.headers['user-agent'] ?? ''),
    origin: origin ?? loopbackOrigin(req),
  };
}

/** Ends the sign-ins that a form is for, and offers the login form again with what is known. */
export function answerOver(
  { cookies, answers, displayAddress }: CodeRoutes,
  req: Request,
  res: Response,
  entries: WaitingEntry[],
  ended?: { email: string; remember: boolean },
): void {
  const tags = entries.map(({ id }) => tagIn(id));
  cookies.removeWaiting(req, res, tags);
  const email = ended?.email ?? wantedEmail(req);
  answers.over(req, res, {
    typed: email && displayAddress(email),
    next: entries[0]?.next ?? safeReturnPath(bodyField(req, 'next')),
    remember: ended?.remember ?? readLoginForm(req).remember,
  });
}

// The `Host` header is the client's word. In somebody else's mail it could lead anywhere, and take the code along.
function loopbackOrigin(req: Request): string {
  const asked = `http${req.secure ? 's' : ''}://${req.host}`;
  const url = parseUrl(asked);
  return url && isLoopback(url.hostname) ? url.origin : `http://localhost:${req.socket.localPort ?? ''}`;
}
