import { reserved } from '../../session/scripts.ts';
import { evenWhenFull } from '../../shared/even-when-full.ts';
import { takeFunction } from '../rate-limits/take-points.ts';
import { pending } from './known-browsers.ts';

// A record is a line of fields, the address last, since it may have spaces in it. The version comes first, and a record
// of another version or shape counts as none. While the code is awaited (state w), `first` says how many tries the code
// is good for, and `second` until when, in milliseconds since the epoch; once the code was used (state u), `first` is
// the random part of the session's id. `last` is the start of the hash of the wrong code that was entered last.
const recordFunctions = `
local function read(key)
  local text = redis.pcall('GET', key)
  if type(text) ~= 'string' then return nil end
  local state, salt, hash, remember, device, tries, first, second, last, email =
    string.match(text, '^1 ([wu]) (%S+) (%S+) ([01]) (%S+) (%d+) (%S+) (%d+) (%S+) (.+)$')
  if not state then return nil end
  return {state = state, salt = salt, hash = hash, remember = remember, device = device, tries = tonumber(tries),
    first = first, second = tonumber(second), last = last, email = email, text = text}
end

local function write(key, record, ...)
  local fields = {'1', record.state, record.salt, record.hash, record.remember, record.device,
    string.format('%d', record.tries), record.first, string.format('%d', record.second), record.last, record.email}
  redis.call('SET', key, table.concat(fields, ' '), ...)
end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function readCounters(firstKey, firstArgument)
  local counters = {}
  for position = firstKey, #KEYS do
    local at = firstArgument + 3 * (position - firstKey)
    counters[#counters + 1] = {KEYS[position], tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])}
  end
  return counters
end
`;

/**
 * Starts to wait for a code, unless the same form was sent a moment ago, and decides whether the code is mailed.
 *
 * Keys: the new record, the one that it replaces, a decoy, the counters. Arguments: the lifetime of a code and the window
 * of a repeat in milliseconds; tries per code; whether it may be mailed at all; salt, hash, and a hash that no code has;
 * remember, device, address; points, seconds and cost of each counter.
 *
 * A code that is not mailed can't be guessed either, or asking again and again would buy any number of guesses. The
 * previous code then stays good, as long and for as many tries as it was: an impatient visitor must not lose the one
 * code that arrived.
 */
export const askScript = `${takeFunction}${recordFunctions}
local codeMs, repeatMs, maxTries, mayBeMailed, salt, hash, hashOfNothing, remember, device, email = unpack(ARGV)
local latest = read(KEYS[1])
local ageMs = codeMs - redis.call('PTTL', KEYS[1])
if latest and latest.state == 'w' and ageMs < tonumber(repeatMs) then return {'repeated'} end
local previous = read(KEYS[2])
local refusedBy = take(readCounters(4, 11), KEYS[3], mayBeMailed == '0')
local record = {state = 'w', salt = salt, hash = hash, remember = remember, device = device, tries = 0,
  first = maxTries, second = now() + codeMs, last = '-', email = email}
if mayBeMailed == '0' or refusedBy > 0 then
  if previous and previous.state == 'w' and previous.email == email then
    record.salt, record.hash, record.first, record.second =
      previous.salt, previous.hash, previous.first, previous.second
  else
    record.hash = hashOfNothing
  end
end
local previousMs = redis.call('PTTL', KEYS[2])
if KEYS[2] ~= KEYS[1] then redis.call('DEL', KEYS[2]) end
write(KEYS[1], record, 'PX', codeMs)
return {'asked', refusedBy, previous and previous.text or '', previousMs}`;

/**
 * Takes back what `askScript` has done, except to the counters. If another copy of the same form has used a try
 * meanwhile, the earlier record is not put back, since that would make the try free; then nothing waits any more.
 *
 * Keys: the new record, the one that it has replaced. Arguments: what that was, empty for nothing, and for how many
 * milliseconds it was to live.
 */
export const takeBackScript = `${evenWhenFull}
${recordFunctions}
local record = read(KEYS[1])
redis.call('DEL', KEYS[1])
if ARGV[1] ~= '' and record and record.state == 'w' and record.tries == 0 then
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
end`;

/**
 * Enters a code, in one step: however many requests come at once, one of them has the right code accepted, and every
 * try is counted (ASVS 6.5.1). The wrong code that was entered last is no new try: a reload of the page sends it again.
 *
 * Keys: the record, a decoy, the key that keeps a browser unknown, that of the new session, the counters of guesses.
 * Arguments: tries per code; the window in which the same form ends in the same session, in milliseconds; the random part
 * of the id that a new session would have; the device; for how many milliseconds it stays unknown until its owner has been
 * told (0: it is known); how many hashes follow; the hashes of the code, one for each secret; points, seconds and cost of
 * each counter.
 */
export const enterScript = `${takeFunction}${recordFunctions}
local maxTries, repeatMs, member, device = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local unknownMs, hashes = tonumber(ARGV[5]), tonumber(ARGV[6])
local record = read(KEYS[1])
if not record then return {'over'} end
local isRight = false
for position = 7, 6 + hashes do isRight = isRight or ARGV[position] == record.hash end
if record.state == 'u' and isRight then
  local ageMs = repeatMs - redis.call('PTTL', KEYS[1])
  return {'repeated', record.email, record.remember, record.device, record.first, ageMs}
end
local entered = string.sub(ARGV[7], 1, 8)
if record.state == 'w' and record.last == entered then return {'wrong', maxTries - record.tries, 0} end
local refusedBy = take(readCounters(5, 7 + hashes), KEYS[2])
record.tries = record.tries + 1
if record.state == 'w' then
  local tries = tonumber(record.first)
  if isRight and refusedBy == 0 and tries > 0 and now() < record.second then
    record.state, record.tries, record.first, record.second = 'u', 0, member, 0
    if record.device == '-' then
      record.device = device
      if unknownMs > 0 then redis.call('SET', KEYS[3], '${pending}', 'PX', unknownMs) end
    end
    write(KEYS[1], record, 'PX', repeatMs)
    redis.call('SET', KEYS[4], '${reserved}', 'PX', repeatMs)
    return {'right', record.email, record.remember, record.device, member}
  end
  record.first = string.format('%d', math.max(0, tries - 1))
end
if record.tries >= maxTries then
  redis.call('DEL', KEYS[1])
  return {'over'}
end
-- A code that was refused was not compared: it may be right once there are guesses left again.
if refusedBy == 0 then record.last = entered end
write(KEYS[1], record, 'KEEPTTL')
if record.state == 'u' then return {'over'} end
return {'wrong', maxTries - record.tries, refusedBy}`;
