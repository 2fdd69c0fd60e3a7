import type { Request } from 'express';

/** The value of a cookie as it was sent, that is, percent-encoded. */
export function readCookie(req: Request, name: string): string | undefined {
  return new RegExp(`(?:^|; ?)${name}=([^;]*)`).exec(req.headers.cookie ?? '')?.[1];
}
