import type { RequestHandler, Response } from 'express';
import { now } from '../../clock.ts';

/**
 * Adds `Max-Age` to cookies that have only `Expires`, which a client whose clock is wrong would misread (RFC 6265, 4.1.2.2).
 * It goes before whatever sets the cookies.
 */
export const addMaxAge: RequestHandler = function addMaxAge(_req, res, next) {
  const { writeHead } = res;
  res.writeHead = ((...args: unknown[]) => {
    const cookies = res.getHeader('Set-Cookie');
    if (cookies !== undefined) res.setHeader('Set-Cookie', [cookies].flat().map(String).map(withMaxAge));
    return Reflect.apply(writeHead, res, args);
  }) as Response['writeHead'];
  next();
};

function withMaxAge(cookie: string): string {
  const [attribute, expires = ''] = /; *Expires=([^;]+)/i.exec(cookie) ?? [];
  if (attribute === undefined || /; *Max-Age=/i.test(cookie)) return cookie;
  const seconds = Math.max(0, Math.round((Date.parse(expires) - now()) / 1000));
  return cookie.replace(attribute, () => `; Max-Age=${seconds}${attribute}`);
}
