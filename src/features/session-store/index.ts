/** Sessions for an Express app of your own, as `latchkey/session`; see docs/session-store.md. */
export { signedIn } from '../../diagnostics.ts';
export { HttpError } from '../../http/http-error.ts';
export type { SessionLog } from '../../log.ts';
export { requireLogin } from '../../middleware/require-login.ts';
export { RedisUnavailable } from '../../redis/deadline.ts';
export { SessionEnded, type SessionRedis } from '../../session/commands.ts';
export type { SessionSecrets } from '../../session/cookie.ts';
export { type EmailAddress, type ParsedAddress, parseAddress } from '../../session/email-address.ts';
export { setFlash, takeFlash } from '../../session/flash.ts';
export type { SessionLimits } from '../../session/lifetime.ts';
export type { SessionsOptions } from '../../session/middleware.ts';
export type { ListedSession, SessionIndex } from '../../session/session-index.ts';
export { currentEmail, InsecureRequest, type KeptField, saveSession, signIn, signOut } from '../../session/sign-in.ts';
export { requireFreshLogin, requireRole } from '../access-guards/access-guards.ts';
export { discardChangesOnError, SessionStore, type SessionStoreOptions, sessions } from './session-store.ts';
