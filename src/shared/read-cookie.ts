import type { Request } from 'express';

/** The value of a cookie as it was sent, that is, percent-encoded. White space and quotes around it are no part of it. */
export function readCookie(req: Request, name: string): string | undefined {
  const [, value] = new RegExp(`(?:^|;)[ \\t]*${name}[ \\t]*=[ \\t]*([^;]*)`).exec(req.headers.cookie ?? '') ?? [];
  return value?.replace(/[ \t]+$/, '').replace(/^"(.*)"$/, '$1');
}
