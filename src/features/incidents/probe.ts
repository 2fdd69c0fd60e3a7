import { randomBytes } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import * as z from 'zod';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';

/** How the app saw a request that `latchkey doctor` has sent through the proxy. */
export const seenShape = z.object({
  secure: z.boolean(),
  ip: z.string().optional(),
  peer: z.string().optional(),
  host: z.string(),
  forwarded: z.record(z.string(), z.string()),
});
export type Seen = z.infer<typeof seenShape>;

const probeSeconds = 60;
const probeId = /^\/([\w-]{22})$/;
const forwardedHeaders = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'via'];

/** @returns the path of a probe, which the app answers for a minute */
export async function openProbe(redis: RedisClient): Promise<string> {
  const id = randomBytes(16).toString('base64url');
  const expiration = { type: 'EX', value: probeSeconds } as const;
  await withDeadline(deadlineMs, redis.set(keyOf(id), '1', { expiration }));
  return `/doctor/${id}`;
}

/** Below `/doctor`: tells whoever knows the path of a probe how the request arrived. For everybody else there is no such page. */
export function answerProbe(redis: RedisClient): RequestHandler {
  return async function answerProbe(req, res, next) {
    const [, id] = (req.method === 'GET' && probeId.exec(req.path)) || [];
    if (id === undefined || (await withDeadline(deadlineMs, redis.get(keyOf(id)))) === null) return next();
    res.set('Cache-Control', 'no-store').json(seen(req));
  };
}

function seen(req: Request): Seen {
  const forwarded = forwardedHeaders.flatMap((name) => {
    const value = req.headers[name];
    return value === undefined ? [] : [[name, String(value)]];
  });
  return {
    secure: req.secure,
    ip: req.ip,
    peer: req.socket.remoteAddress,
    host: req.host,
    forwarded: Object.fromEntries(forwarded),
  };
}

function keyOf(id: string): string {
  return `probe:${id}`;
}
