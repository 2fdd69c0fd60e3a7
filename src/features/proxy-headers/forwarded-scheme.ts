import type { Request, RequestHandler } from 'express';
import { HttpError } from '../../http/http-error.ts';
import type { Logger } from '../../log.ts';
import { cutText } from '../../shared/cut-text.ts';
import { isFromProxy } from '../../shared/from-proxy.ts';

const meansHttps = new Set(['https', 'wss', 'on']);
const meansHttp = new Set(['http', 'ws', 'off']);
/** The headers by which proxies say how a visitor came. The first that is there decides. */
const headerNames = ['x-forwarded-proto', 'forwarded', 'x-forwarded-ssl'] as const;

/**
 * Reads how a visitor came, where a trusted proxy says so in another way than Express understands: `HTTPS`, one value
 * per proxy (`https, http`; the first is the visitor's), `Forwarded: proto=https` (RFC 7239), `X-Forwarded-Ssl: on`.
 * @throws {HttpError} 400 for anything else: to guess https could show a session to others on the way
 */
export function readForwardedScheme(log: Logger): RequestHandler {
  let warned = false;

  return function readScheme(req, _res, next) {
    const name = isFromProxy(req) ? headerNames.find((candidate) => statementOf(req, candidate)) : undefined;
    if (name === undefined) return next();
    const statement = statementOf(req, name);
    if (meansHttps.has(statement) || meansHttp.has(statement)) {
      req.headers['x-forwarded-proto'] = meansHttps.has(statement) ? 'https' : 'http';
      return next();
    }
    if (!warned) {
      warned = true;
      const value = cutText(String(req.headers[name]), 100);
      log.warn(
        { id: req.id, header: name, value },
        'a proxy names a scheme that is unknown: let it send X-Forwarded-Proto: https',
      );
    }
    next(new HttpError(400, 'The proxy in front of this site does not say whether you came by http or https.'));
  };
}

// In lower case; empty when the header says nothing about it.
function statementOf(req: Request, name: (typeof headerNames)[number]): string {
  const value = String(req.headers[name] ?? '').toLowerCase();
  if (name !== 'forwarded') return /[^\s,]+/.exec(value)?.[0] ?? '';
  // What is quoted may hold separators. A scheme needs no quotes, but may have them.
  const unquoted = value.replace(/"((?:[^"\\]|\\.)*)"/g, (_, text: string) => (/^\w+$/.test(text) ? text : ''));
  return /(?:^|;)\s*proto=([^;\s]*)/.exec(unquoted.split(',')[0] ?? '')?.[1] ?? '';
}
