import { tagIn } from '../../src/session/session-id.ts';
import { type CodeApp, newAddress, newBrowser, signInByCode, startCodeApp } from '../email-code/code-login.ts';
import type { TestAppOptions } from '../support/app.ts';
import { monitored } from '../support/commands.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import type { Visit, Visitor } from '../support/visitor.ts';
import {
  type Answer,
  Authenticator,
  type Claims,
  type RequestOptions,
  readCreationOptions,
  readRequestOptions,
} from './authenticator.ts';

export const origin = 'https://login.example.com';
/** The subjects of the mails about passkeys. */
export const subjects = {
  added: /^A passkey was added for /,
  removed: /^A passkey was removed from /,
  restored: /^A passkey was restored for /,
  counter: /^Check your passkey for /,
};
const json = { Accept: 'application/json', 'X-Forwarded-Proto': 'https', 'Sec-Fetch-Site': 'same-origin' };

/** The app with passkeys, behind a proxy that speaks https. */
export function startPasskeyApp(options: TestAppOptions & Parameters<typeof startCodeApp>[0] = {}): Promise<CodeApp> {
  return startCodeApp({ ...options, env: { BASE_URL: origin, ...options.env } });
}

/** What Redis is asked for this work about passkeys and limits; not what scripts ask in turn. */
export async function passkeyCommands(
  { redis }: Pick<CodeApp, 'redis'>,
  work: () => Promise<unknown>,
): Promise<string[]> {
  return (await monitored(redis, work)).filter((line) => /"[pl]:/.test(line) && !/ lua\]/.test(line));
}

/** A browser of its own, from an address of its own. */
export function newVisitor(app: Pick<CodeApp, 'url'>, headers: Record<string, string> = {}): Visitor {
  return newBrowser(app.url, { 'X-Forwarded-Proto': 'https', ...headers });
}

/** Somebody who has signed in by code; `count` says which of their codes it is. */
export async function newMember(
  app: CodeApp,
  email = newAddress(),
  count = 1,
): Promise<{ visitor: Visitor; email: string }> {
  const visitor = newVisitor(app);
  await signInByCode(app, visitor, email, { count });
  return { visitor, email };
}

export function postJson(visitor: Visitor, path: string, body: object): Promise<Visit> {
  return visitor.post(path, { json: body, headers: json });
}

/** Asks for what to make a passkey with. */
export function askToAdd(visitor: Visitor, owner = tagIn(visitor.sessionId)): Promise<Visit> {
  return postJson(visitor, '/passkeys/options', { owner });
}

export function sendNew(visitor: Visitor, credential: unknown, next?: string): Promise<Visit> {
  return postJson(visitor, '/passkeys', { owner: tagIn(visitor.sessionId), credential, next });
}

/** Adds a passkey to the address of the visitor. */
export async function addPasskey(visitor: Visitor, claims: Claims = {}): Promise<Authenticator> {
  const authenticator = new Authenticator(origin);
  const answer = authenticator.create(readCreationOptions((await askToAdd(visitor)).text), claims);
  const { status, text } = await sendNew(visitor, answer);
  if (status !== 201) throw new Error(`the passkey was answered with ${status}: ${text}`);
  return authenticator;
}

/** Asks for what to sign in with. */
export async function askToSignIn(visitor: Visitor): Promise<RequestOptions> {
  const options = readRequestOptions((await postJson(visitor, '/login/passkey/options', {})).text);
  keepOutOfLogs(options.challenge);
  return options;
}

export function sendSignIn(visitor: Visitor, credential: Answer | unknown, form: object = {}): Promise<Visit> {
  return postJson(visitor, '/login/passkey', { credential, ...form });
}

export async function signInWith(
  visitor: Visitor,
  authenticator: Authenticator,
  claims: Claims = {},
  form: object = {},
): Promise<Visit> {
  return sendSignIn(visitor, authenticator.get(await askToSignIn(visitor), claims), form);
}
