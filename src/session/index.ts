/** Sessions for an Express app of your own, as `latchkey/session`; see docs/session-store.md. */
export { signedIn } from '../diagnostics.ts';
export { HttpError } from '../http/http-error.ts';
export type { SessionLog } from '../log.ts';
export { requireFreshLogin, requireLogin, requireRole } from '../middleware/require-login.ts';
export { RedisUnavailable } from '../redis/deadline.ts';
export { SessionEnded, type SessionRedis } from './commands.ts';
export type { SessionSecrets } from './cookie.ts';
export { type EmailAddress, type ParsedAddress, parseAddress } from './email-address.ts';
export { setFlash, takeFlash } from './flash.ts';
export type { SessionLimits } from './lifetime.ts';
export { type SessionsOptions, sessions } from './middleware.ts';
export type { ListedSession, SessionIndex } from './session-index.ts';
export { currentEmail, type KeptField, saveSession, signIn, signOut } from './sign-in.ts';
export { SessionStore, type SessionStoreOptions } from './store.ts';
