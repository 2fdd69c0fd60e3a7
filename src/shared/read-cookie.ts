import type { Request } from 'express';

/** The value of a cookie as it was sent, still percent-encoded, without the white space and quotes around it. */
export function readCookie(req: Request, name: string): string | undefined {
  const [, value] = new RegExp(`(?:^|;)[ \\t]*${name}[ \\t]*=[ \\t]*([^;]*)`).exec(req.headers.cookie ?? '') ?? [];
  // Without the lookbehind, a long run of spaces within a value would be searched again from each of them.
  return value?.replace(/(?<![ \t])[ \t]+$/, '').replace(/^"(.*)"$/, '$1');
}
