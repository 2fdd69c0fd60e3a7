import type { Request } from 'express';

declare module 'express-session' {
  interface SessionData {
    /** A message for the next page that shows one; see `setFlash()`. */
    flash?: string | undefined;
  }
}

/** Leaves a message in the visitor's session, for the page that the response redirects to. */
export function setFlash(req: Request, message: string): void {
  req.session.flash = message;
}

/** The message that was left for this page, once. */
export function takeFlash(req: Request): string | undefined {
  const { flash } = req.session;
  // Nobody sees the page of a HEAD request.
  if (req.method !== 'HEAD') Reflect.deleteProperty(req.session, 'flash');
  return flash;
}
