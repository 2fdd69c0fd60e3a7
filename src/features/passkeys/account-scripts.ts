import { evenWhenFull } from '../../shared/even-when-full.ts';

// An account is a hash: `email`, `user` (the user handle), perhaps `restore` (see Account), and, for each passkey, HANDLE,
// HANDLE:use and HANDLE:name; HANDLE:revoked, a time, for one that no link may restore.
// Without a passkey it has an end; a key of another type is not ours and must not keep its address from passkeys.
const accountFunctions = `
local function readAccount(key)
  if redis.call('TYPE', key).ok ~= 'hash' then return {} end
  return redis.call('HGETALL', key)
end

local function countPasskeys(key)
  local count = 0
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if #field == 22 then count = count + 1 end
  end
  return count
end
`;

/** Where a passkey's account is, or that it was removed; also when Redis is full. ARGV: the value, perhaps EX and seconds. */
export const pointScript = `${evenWhenFull}
return redis.call('SET', KEYS[1], unpack(ARGV))`;

/** Keys: the account. Returns its fields and values. */
export const loadScript = `${accountFunctions}
return readAccount(KEYS[1])`;

/**
 * Makes sure that an address has a user handle, and returns the account.
 *
 * Keys: the account. Arguments: address, a new user handle, for how many milliseconds it is kept if no passkey follows.
 */
export const prepareScript = `${accountFunctions}
local key, email, handle, keptMs = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if redis.call('TYPE', key).ok ~= 'hash' then redis.call('DEL', key) end
redis.call('HSETNX', key, 'user', handle)
redis.call('HSET', key, 'email', email)
if countPasskeys(key) == 0 then
  redis.call('PEXPIRE', key, keptMs, 'NX')
  redis.call('PEXPIRE', key, keptMs, 'GT')
end
return readAccount(key)`;

/**
 * Keys: the account. Arguments: address, user handle, restore key, how many passkeys it may have, the passkey's handle and
 * its three fields. Returns what became of it; without the three fields, it changes nothing and returns what would become
 * of it. Without the account that the passkey was made for there is nothing to add it to: what was forgotten stays so.
 */
export const addScript = `${accountFunctions}
local key, email, user, restore, max, handle, made, use, name = KEYS[1], unpack(ARGV)
if redis.call('TYPE', key).ok ~= 'hash' then return 'other' end
if redis.call('HEXISTS', key, handle) == 1 then return 'there' end
if redis.call('HGET', key, 'user') ~= user or (redis.call('HGET', key, 'restore') or '') ~= restore then return 'other' end
if redis.call('HEXISTS', key, handle .. ':revoked') == 1 then return 'other' end
if countPasskeys(key) >= tonumber(max) then return 'full' end
if not made then return 'added' end
redis.call('HSET', key, 'email', email, handle, made, handle .. ':use', use, handle .. ':name', name)
redis.call('PERSIST', key)
return 'added'`;

/**
 * Keys: the account. Arguments: the passkey's handle; for how many milliseconds the user handle outlives the last passkey.
 * Returns how many are left, or -1 if there was no such passkey.
 */
export const removeScript = `${accountFunctions}
local key, handle, keptMs = KEYS[1], ARGV[1], ARGV[2]
if redis.call('TYPE', key).ok ~= 'hash' then return -1 end
if redis.call('HDEL', key, handle, handle .. ':use', handle .. ':name') == 0 then return -1 end
local left = countPasskeys(key)
if left == 0 then redis.call('PEXPIRE', key, keptMs) end
return left`;

/**
 * Keys: the account. Arguments: the field that revokes its links, or those of one passkey, and its value; the time before
 * which all links that a field of one passkey revoked have expired. Works even when Redis is full, since the account may be
 * in the wrong hands.
 */
export const revokeLinksScript = `${evenWhenFull}
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local fields = redis.call('HGETALL', KEYS[1])
for at = 1, #fields, 2 do
  local isExpired = fields[at]:sub(-8) == ':revoked' and (tonumber(fields[at + 1]) or math.huge) < tonumber(ARGV[3])
  if isExpired then redis.call('HDEL', KEYS[1], fields[at]) end
end`;

/** Keys: the account. Arguments: the passkey's handle, its new name. Returns whether there is such a passkey. */
export const renameScript = `
local key, handle, name = KEYS[1], ARGV[1], ARGV[2]
if redis.call('TYPE', key).ok ~= 'hash' or redis.call('HEXISTS', key, handle) == 0 then return 0 end
redis.call('HSET', key, handle .. ':name', name)
return 1`;

/**
 * Records a sign-in. The new counter is kept even if it went backwards: the next one is compared with it, so that a copy that
 * goes on being used shows each time, and an authenticator that stopped counting shows once.
 *
 * Keys: the account. Arguments: the passkey's handle, its counter, and the rest of its use. Returns whether the passkey is
 * still there, and the counter before if this one should be greater.
 */
export const useScript = `
local key, handle, counter, rest = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local use = redis.call('TYPE', key).ok == 'hash' and redis.call('HGET', key, handle .. ':use')
if not use then return {0, -1} end
local before = tonumber(string.match(use, '^%d+')) or 0
redis.call('HSET', key, handle .. ':use', counter .. ' ' .. rest)
local isBack = (before > 0 or tonumber(counter) > 0) and tonumber(counter) <= before
return {1, isBack and before or -1}`;
