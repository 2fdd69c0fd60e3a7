// Each script is one atomic step, so a session and its entry in the list of its address change together or not at all.
// The list is a sorted set of members by the ends of their sessions. Anonymous sessions are in no list.

// A key of another type is not our list, and must not keep its address from signing in.
const enlist = `
local function enlist(index, member, endsAt, millisecondsLeft)
  local kind = redis.call('TYPE', index).ok
  if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', index) end
  redis.call('ZADD', index, endsAt, member)
  redis.call('PEXPIRE', index, millisecondsLeft, 'NX')
  redis.call('PEXPIRE', index, millisecondsLeft, 'GT')
end
`;

/** Stands at the key of a session whose id has been granted, until the session is stored. */
export const reserved = 'reserved';

/** Stores a new session. Returns the length of its list, or -1 if the session's key is taken. */
export const createScript = `${enlist}
local record, now, endsAt, member = unpack(ARGV)
local millisecondsLeft = math.max(1, endsAt - now)
local taken = redis.call('GET', KEYS[1])
if taken and taken ~= '${reserved}' then return -1 end
redis.call('SET', KEYS[1], record, 'PX', millisecondsLeft)
if not KEYS[2] then return 1 end
enlist(KEYS[2], member, endsAt, millisecondsLeft)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
return redis.call('ZCARD', KEYS[2])`;

/**
 * Stores the changes to a session, which lives on for as long as before. Returns 0 if it has ended. Keeps the later time
 * of last use: otherwise a slow request would undo what has happened meanwhile.
 */
export const replaceScript = `
local record, stored = ARGV[1], redis.call('GET', KEYS[1])
if not stored then return 0 end
local lastSeen = string.sub(stored, 1, 8)
if lastSeen > string.sub(record, 1, 8) then record = lastSeen .. string.sub(record, 9) end
redis.call('SET', KEYS[1], record, 'XX', 'KEEPTTL')
return 1`;

/**
 * Records that a session is in use, extends it, and lists it again if its entry was lost. Returns 0 if it has ended.
 * Writes the time of last use alone: what another request has changed meanwhile stays as it is.
 */
export const touchScript = `${enlist}
local lastSeen, now, endsAt, member = unpack(ARGV)
if redis.call('PEXPIRE', KEYS[1], endsAt - now) == 0 then return 0 end
redis.call('SETRANGE', KEYS[1], 0, lastSeen)
if KEYS[2] then enlist(KEYS[2], member, endsAt, endsAt - now) end
return 1`;

/**
 * Returns a list's records as one text, each behind its member, with NULs between. A record with a NUL is emptied, so that
 * it can't pass for two. The session that asks, if any, is listed even if its entry was lost; a replica lists it without
 * restoring the entry.
 */
export const listScript = `${enlist}
local index, siblings, own, now, member = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2]
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
  if type(record) == 'string' then listed[#listed + 1] = sibling .. (record:find('\\0', 1, true) and '' or record) end
end
return table.concat(listed, '\\0')`;

/**
 * Ends sessions and returns how many were live. Not a transaction: a full Redis refuses to queue even a deletion, and a
 * logout must free memory then.
 */
export const endScript = `
local ended = 0
for position, member in ipairs(ARGV) do
  ended = ended + redis.call('DEL', KEYS[position + 1])
  redis.pcall('ZREM', KEYS[1], member)
end
return ended`;
