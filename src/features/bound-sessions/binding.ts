import type { SessionData } from 'express-session';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { replaceScript } from '../../session/scripts.ts';
import { sessionKey } from '../../session/session-id.ts';
import type { SessionStore } from '../../session/store.ts';
import { isBindingInForce } from '../../shared/session-binding.ts';

/** The key that a session is bound to, as its record holds it: a digit, and the coordinates of a point on P-256. */
export type Binding = {
  /** Both coordinates in base64url, 43 characters each. */
  key: string;
  /**
   * Whether the browser has shown that it knows of the binding. Until then the session is good without proof: if the
   * answer to a registration is lost, the browser has no bound session, and its owner would be locked out.
   */
  isConfirmed: boolean;
};

const keyLength = 86;
const shape = new RegExp(`^([01])([\\w-]{${keyLength}})$`);

/** What a session is bound to; undefined for one that is not bound. */
export function bindingOf({ binding = '' }: Partial<Pick<SessionData, 'binding'>>): Binding | undefined {
  const [, digit, key] = shape.exec(binding) ?? [];
  return key === undefined ? undefined : { key, isConfirmed: digit === '1' };
}

// Confirming makes the text greater, so no slow request undoes it.
function encode({ key, isConfirmed }: Binding): string {
  return `${isConfirmed ? 1 : 0}${key}`;
}

/**
 * Gives a record a binding, unless it has a greater one. It is always the first member of the JSON: this adds it there, and
 * a session that is read and stored again keeps the order of its fields. Only a field that is named by a whole number would
 * come before it, so a fork may not have one.
 */
const withBinding = `
local shape = '^([^\\n]*\\n[^\\n]*)\\n{"binding":"([%w_-]*)",?'
local function withBinding(record, binding)
  if binding <= (select(2, string.match(record, shape)) or '') then return record end
  local head, json = string.match(string.gsub(record, shape, '%1\\n{', 1), '^([^\\n]*\\n[^\\n]*)\\n?{?(.*)$')
  return head .. '\\n{"binding":"' .. binding .. '"' .. (#json > 1 and ',' .. json or '}')
end
`;

/** Stores the changes to a session, and keeps the greater binding: otherwise a slow request would undo one. */
export const replaceBoundScript = `${withBinding}
local _, stored = string.match(redis.call('GET', KEYS[1]) or '', shape)
ARGV[1] = withBinding(ARGV[1], stored or '')
${replaceScript}`;

/** Keeps the bindings of sessions whatever requests store, and says in lists of sessions which are bound. */
export function keepBindings(store: SessionStore): void {
  const { index } = store;
  const { toListed } = index;
  store.replaceScript = replaceBoundScript;
  index.toListed = (entry) => ({ ...toListed(entry), isBound: isBindingInForce(entry.session.binding) });
}

/** Changes the binding of a session, and nothing else. Returns 0 if it has ended, or has another binding by now. */
const bindScript = `${withBinding}
local before, binding, record = ARGV[1], ARGV[2], redis.call('GET', KEYS[1])
if not record or (select(2, string.match(record, shape)) or '') ~= before then return 0 end
redis.call('SET', KEYS[1], withBinding(record, binding), 'XX', 'KEEPTTL')
return 1`;

/**
 * Binds a session to a key, unless it is bound already.
 * @returns whether it was done
 * @throws {RedisUnavailable}
 */
export function bind(redis: RedisClient, sessionId: string, key: string): Promise<boolean> {
  return change(redis, sessionId, '', encode({ key, isConfirmed: false }));
}

/**
 * From now on, the session takes proof.
 * @throws {RedisUnavailable}
 */
export function confirmBinding(redis: RedisClient, sessionId: string, { key }: Binding): Promise<boolean> {
  return change(redis, sessionId, encode({ key, isConfirmed: false }), encode({ key, isConfirmed: true }));
}

async function change(redis: RedisClient, sessionId: string, before: string, after: string): Promise<boolean> {
  const step = { keys: [sessionKey(sessionId)], arguments: [before, after] };
  return (await withDeadline(deadlineMs, redis.eval(bindScript, step))) === 1;
}
