import type { ServerOptions } from 'node:http';
import type { Express, RequestHandler } from 'express';
import type { Core } from '../../core.ts';
import { compileViews } from './compiled-views.ts';
import { expressPrototypes } from './express-prototypes.ts';
import { loadStoredSessions } from './load-stored-sessions.ts';
import { rememberDates } from './recent-dates.ts';
import { rememberLists } from './remember-lists.ts';
import { sendPages } from './send-pages.ts';

export { listPreloaded } from './preload-lists.ts';
export { tuneRedis } from './script-hashes.ts';

/**
 * Makes Express cheaper. Three things differ: `res.render()` has sent the page when it returns, so whatever changes the
 * response comes before it; pages come without the indentation, blank lines and trailing newline of their views, except
 * where EJS renders one again in development because it failed; and the list of sessions sees only the locals that its
 * include gives it, and those of the app.
 * @returns what the server of the app needs for that
 */
export function tuneExpress(app: Express, views: { directory: string; reload: boolean }): ServerOptions {
  rememberDates(app.locals.words);
  const renderView = compileViews(app, { ...views, remembered: { '/partials/session-list': 'thisHandle' } });
  sendPages(app, renderView, views);
  return expressPrototypes(app);
}

/**
 * Makes loading and listing sessions cheaper.
 * @param listPath the page that lists the visitor's sessions, with {@link listPreloaded}
 * @returns what takes the middleware of express-session and stands in its place
 */
export function tuneSessions(
  core: Pick<Core, 'store' | 'secrets'>,
  listPath: string,
): (expressSession: RequestHandler) => RequestHandler {
  rememberLists(core.store.index);
  return loadStoredSessions(core, listPath);
}
