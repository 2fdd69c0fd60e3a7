import type { RequestHandler } from 'express';
import * as z from 'zod';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { type EmailAddress, parseAddress } from '../../session/email-address.ts';
import { tagOf } from '../../session/session-id.ts';
import { keyOf } from './challenges.ts';
import type { CodeCookies } from './cookies.ts';

// Delete this file with the release after 0.2: it is for an upgrade from 0.1, which kept a waiting code as a hash.

const readScript = `
local fields = redis.pcall('HGETALL', KEYS[1])
if fields.err or #fields == 0 then return {} end
local ms = redis.call('PTTL', KEYS[1])
if ARGV[1] == 'take' then redis.call('DEL', KEYS[1]) end
return {'ms', tostring(ms), unpack(fields)}`;

const earlierShape = z.object({
  ms: z.coerce.number().int().positive(),
  hash: z.string().length(43),
  salt: z.string().regex(/^\S+$/),
  tries_good_for: z.coerce.number().int(),
  tries: z.coerce.number().int().default(0),
  until: z.coerce.number().int(),
  data: z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue('not JSON');
        return z.NEVER;
      }
    })
    .pipe(
      z.object({
        email: z.string().transform((text, context): EmailAddress => {
          const address = parseAddress(text);
          if ('email' in address) return address.email;
          context.addIssue('not an address');
          return z.NEVER;
        }),
        remember: z.boolean(),
        next: z.string(),
        deviceId: z.string().regex(/^\S+$/).optional(),
      }),
    ),
});

/**
 * Takes over a code that the browser asked version 0.1 for. To show the form, it is only copied, without what it is
 * compared with: until it is entered, it must stay good at a process that still runs that version. Tries that were used
 * there stay used, and no code is accepted twice.
 */
export function takeOverEarlierCode(redis: RedisClient, cookies: CodeCookies): RequestHandler {
  return async function takeOver(req, res, next) {
    const random = cookies.readEarlier(req);
    if (random === undefined) return next();
    const isEntered = req.method === 'POST';
    const earlier = await readEarlier(redis, random, isEntered ? 'take' : 'look');
    if (!earlier) return next();
    const { data, ms } = earlier;
    const id = tagOf(data.email) + random;
    const record = recordOf(isEntered ? earlier : { ...earlier, hash: '-' });
    const options = { expiration: { type: 'PX', value: ms } as const, ...(!isEntered && { condition: 'NX' as const }) };
    await withDeadline(deadlineMs, redis.set(keyOf(id), record, options));
    const entry = { id, next: data.next };
    cookies.replaceEarlier(req, entry);
    if (isEntered) cookies.addWaiting(req, res, entry);
    next();
  };
}

/** The code that a browser asked version 0.1 for; undefined if there is none. */
export async function readEarlier(redis: RedisClient, random: string, how: 'look' | 'take') {
  const step = { keys: [`c:${random}`], arguments: [how] };
  const reply = await withDeadline(deadlineMs, redis.eval(readScript, step));
  const texts = Array.isArray(reply) ? reply.map(String) : [];
  const fields = texts.flatMap((name, at) => (at % 2 === 0 ? [[name, texts[at + 1]]] : []));
  return earlierShape.safeParse(Object.fromEntries(fields)).data;
}

function recordOf({ hash, salt, tries, tries_good_for, until, data }: z.output<typeof earlierShape>): string {
  const { remember, deviceId = '-', email } = data;
  const triesLeft = Math.max(0, tries_good_for - tries);
  return ['1 w', salt, hash.slice(0, 22), remember ? 1 : 0, deviceId, tries, triesLeft, until, '-', email].join(' ');
}
