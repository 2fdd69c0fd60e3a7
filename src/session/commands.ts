import { HttpError } from '../http/http-error.ts';
import { isWrongType, withDeadline } from '../redis/deadline.ts';
import { encodeMoment, indexKey, type SessionKeys, sessionKey } from './record.ts';

/** What sessions need of a Redis client; any client of the `redis` package fits. */
export type SessionRedis = {
  get: (key: string) => Promise<string | null>;
  eval: (script: string, options: { keys: string[]; arguments: string[] }) => Promise<unknown>;
};

/** The session had ended before its changes were saved: by logout, revocation or expiry. Nothing was stored. */
export class SessionEnded extends HttpError {
  constructor() {
    super(401, 'Your session has ended. Please login first.');
    this.name = 'SessionEnded';
  }
}

/** A stored session, as a member of the list of its address. */
export type ListedRecord = { member: string; record: string };

// A key of another type is not our index, and must not keep its address from signing in.
const enlist = `
local function enlist(index, member, endsAt, millisecondsLeft)
  local kind = redis.call('TYPE', index).ok
  if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', index) end
  redis.call('ZADD', index, endsAt, member)
  redis.call('PEXPIRE', index, millisecondsLeft, 'NX')
  redis.call('PEXPIRE', index, millisecondsLeft, 'GT')
end
`;

const createScript = `${enlist}
local record, millisecondsLeft, now, endsAt, member = unpack(ARGV)
if not redis.call('SET', KEYS[1], record, 'NX', 'PX', millisecondsLeft) then return -1 end
if not KEYS[2] then return 1 end
enlist(KEYS[2], member, endsAt, millisecondsLeft)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
return redis.call('ZCARD', KEYS[2])`;

// Keeps the later time of last use. Otherwise a slow request would undo a touch that happened meanwhile.
const replaceScript = `
local record, lastSeen = ARGV[1], redis.call('GETRANGE', KEYS[1], 0, 7)
if lastSeen == '' then return 0 end
if lastSeen > string.sub(record, 1, 8) then record = lastSeen .. string.sub(record, 9) end
redis.call('SET', KEYS[1], record, 'XX', 'KEEPTTL')
return 1`;

// Only a live session is touched, and only its time of last use changes: a request that knows older data can neither
// bring a session back nor undo what another request wrote.
const touchScript = `${enlist}
local millisecondsLeft, lastSeen, endsAt, member = unpack(ARGV)
if redis.call('PEXPIRE', KEYS[1], millisecondsLeft) == 0 then return 0 end
redis.call('SETRANGE', KEYS[1], 0, lastSeen)
if KEYS[2] then enlist(KEYS[2], member, endsAt, millisecondsLeft) end
return 1`;

// The session that asks is listed even if its entry was lost (evicted, or deleted by hand). On a replica the entry can't
// be written, but the session is still listed.
const listScript = `${enlist}
local index, siblings, own, member, now = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2]
local isIndex = redis.call('TYPE', index).ok == 'zset'
local members = isIndex and redis.call('ZRANGE', index, 0, -1) or {}
if own and not (isIndex and redis.call('ZSCORE', index, member)) then
  local millisecondsLeft = redis.call('PTTL', own)
  if millisecondsLeft > 0 then
    pcall(enlist, index, member, now + millisecondsLeft, millisecondsLeft)
    members[#members + 1] = member
  end
end
local listed = {}
for _, sibling in ipairs(members) do
  local record = redis.pcall('GET', siblings .. sibling)
  if type(record) == 'string' then
    listed[#listed + 1] = sibling
    listed[#listed + 1] = record
  end
end
return listed`;

// A script and not a transaction: a full Redis refuses to queue even a deletion, and a logout must free memory then.
const endScript = `
local isIndex = redis.call('TYPE', KEYS[1]).ok == 'zset'
local ended = 0
for position = 2, #KEYS do
  ended = ended + redis.call('DEL', KEYS[position])
  if isIndex then redis.call('ZREM', KEYS[1], ARGV[position - 1]) end
end
return ended`;

/**
 * What Redis does for sessions, each in one atomic command: a session and its entry in the list of its address change
 * together or not at all. Every method throws {@link RedisUnavailable}.
 */
export class SessionCommands {
  readonly #redis: SessionRedis;
  readonly #deadlineMs: number;

  constructor(redis: SessionRedis, deadlineMs: number) {
    this.#redis = redis;
    this.#deadlineMs = deadlineMs;
  }

  /** The record of a session; null if there is none, and empty if the key holds something else. */
  async read(keys: SessionKeys): Promise<string | null> {
    try {
      return await withDeadline(this.#deadlineMs, this.#redis.get(keys.session));
    } catch (error) {
      if (isWrongType(error)) return '';
      throw error;
    }
  }

  /**
   * Stores a new session.
   * @param options.endsAt milliseconds since the epoch
   * @param options.isListed whether it belongs in the list of an address
   * @returns the number of sessions in that list
   */
  async create(
    keys: SessionKeys,
    record: string,
    options: { now: number; endsAt: number; isListed: boolean },
  ): Promise<number> {
    const { now, endsAt, isListed } = options;
    const millisecondsLeft = Math.max(1, endsAt - now);
    const count = await this.#run(createScript, keysToWrite(keys, isListed), [
      ...[record, millisecondsLeft, now, endsAt, keys.member],
    ]);
    if (count === -1) throw new Error('a new session id was taken already');
    return Number(count);
  }

  /**
   * Stores the changes to a session; its lifetime stays the same.
   * @throws {SessionEnded} when it is no longer there to be changed
   */
  async replace(keys: SessionKeys, record: string): Promise<void> {
    if ((await this.#run(replaceScript, [keys.session], [record])) !== 1) throw new SessionEnded();
  }

  /**
   * Records that a session is in use, extends it to `endsAt`, and adds it to its list again if the entry was lost.
   * @returns false when it has ended
   */
  async touch(keys: SessionKeys, options: { now: number; endsAt: number; isListed: boolean }): Promise<boolean> {
    const { now, endsAt, isListed } = options;
    const step = [endsAt - now, encodeMoment(now), endsAt, keys.member];
    return (await this.#run(touchScript, keysToWrite(keys, isListed), step)) === 1;
  }

  /**
   * The stored sessions of a tag.
   * @param own the session that asks; if its entry was lost, it is added again
   */
  async list(tag: string, own?: SessionKeys): Promise<ListedRecord[]> {
    const keys = [indexKey(tag), sessionKey(tag, '')];
    const reply = own
      ? await this.#run(listScript, [...keys, own.session], [own.member, Date.now()])
      : await this.#run(listScript, keys, []);
    const flat: unknown[] = Array.isArray(reply) ? reply : [];
    return flat.flatMap((member, position) =>
      position % 2 === 0 ? [{ member: String(member), record: String(flat[position + 1]) }] : [],
    );
  }

  /**
   * Ends sessions of a tag.
   * @returns how many were live
   */
  async end(tag: string, members: string[]): Promise<number> {
    if (members.length === 0) return 0;
    const keys = [indexKey(tag), ...members.map((member) => sessionKey(tag, member))];
    return Number(await this.#run(endScript, keys, members));
  }

  #run(script: string, keys: string[], values: (string | number)[]): Promise<unknown> {
    return withDeadline(this.#deadlineMs, this.#redis.eval(script, { keys, arguments: values.map(String) }));
  }
}

function keysToWrite(keys: SessionKeys, isListed: boolean): string[] {
  return isListed ? [keys.session, keys.index] : [keys.session];
}
