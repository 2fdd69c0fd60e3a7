import type { NextFunction, Request, Response } from 'express';
import { discardChanges, saveSession } from './sign-in.ts';
import type { SessionStore } from './store.ts';

type Raw = Pick<Response, 'write' | 'end' | 'flushHeaders'>;
type Send = Raw[keyof Raw];

/**
 * Holds a response back, from its first byte on, until the changes to its session are stored. If that fails, the
 * response is discarded and the error page answers instead, so that nobody is told of a change that was lost
 * (express-session#309, #360). A response with a 5xx status stores none: the request has failed, whoever answers it.
 * @param raw the response's own methods, before express-session wrapped them
 */
export function holdUntilSaved(
  { req, res, next }: { req: Request; res: Response; next: NextFunction },
  store: SessionStore,
  raw: Raw,
): void {
  const headersOfEveryResponse = new Set(res.getHeaderNames());
  let held: { send: Send; args: unknown[] }[] | undefined;

  function sendOrHold(send: Send, args: unknown[]): unknown {
    if (held === undefined) {
      if (res.statusCode >= 500) discardChanges(req);
      if (!store.hasChanges(req.session)) return Reflect.apply(send, res, args);
      held = [];
      saveSession(req).then(release).catch(refuse);
    }
    // Where a page ends twice, such as one that fails after its answer, the second end counts, unless it adds nothing.
    const saysMore = (args[0] && typeof args[0] !== 'function') || res.get('Content-Length') === '0';
    if (saysMore && held.at(-1)?.send === raw.end) held = [];
    held.push({ send, args });
    return send === raw.end ? res : false;
  }

  function release(): void {
    const released = held ?? [];
    held = undefined;
    const results = released.map(({ send, args }): unknown => Reflect.apply(send, res, args));
    if (results.at(-1) !== false) res.emit('released'); // A stream that is full says by itself when it is not.
    if (!res.writableEnded && !res.writableNeedDrain) res.emit('drain');
  }

  function refuse(error: unknown): void {
    held = undefined;
    const added = res.headersSent ? [] : res.getHeaderNames().filter((name) => !headersOfEveryResponse.has(name));
    for (const name of added) res.removeHeader(name);
    next(error);
  }

  res.write = ((...args: unknown[]) => sendOrHold(raw.write, args)) as Response['write'];
  res.end = ((...args: unknown[]) => sendOrHold(raw.end, args)) as Response['end'];
  res.flushHeaders = () => void sendOrHold(raw.flushHeaders, []);
}
