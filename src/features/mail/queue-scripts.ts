import { evenWhenFull } from '../../shared/even-when-full.ts';

/**
 * The outbox in Redis, as Lua scripts. All keys begin with KEYS[1], which has a hash tag, so that they share a Cluster
 * slot. All times are in milliseconds of Redis's clock.
 *
 * | key below `{outbox}`    | holds                                                                       |
 * | ---                     | ---                                                                         |
 * | `mail:ID`               | a mail: encrypted content, lane, domain, times of request and expiry, owner |
 * | `queue:LANE:DOMAIN`     | ids of waiting mails, by when they are due                                  |
 * | `turns:LANE`            | domains with waiting mails, by when it is their turn                        |
 * | `leases`                | ids of mails that are being delivered, by when their leases expire          |
 * | `waiting`, `withheld`   | ids of all undelivered mails, and of decoys, by when they were requested    |
 * | `rate`, `decoy`         | when the rate limit allows the next mail                                    |
 *
 * A full Redis takes no new mail. What was promised before is delivered all the same, which makes room.
 */
const common = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function key(...) return KEYS[1] .. ':' .. table.concat({...}, ':') end
local function keep(name, ms)
  if redis.call('PTTL', name) < ms then redis.call('PEXPIRE', name, ms) end
end
local function mailOf(id)
  local values = redis.call('HMGET', key('mail', id), 'lane', 'domain', 'asked', 'until', 'owner')
  if not values[1] then return nil end
  -- Requested later than now: the clock has been set back since.
  local asked = math.min(tonumber(values[3]), now)
  return {lane = values[1], domain = values[2], asked = asked, until_ = tonumber(values[4]), owner = values[5]}
end
-- A domain's turn comes when its first mail is due; after it has been served, it goes to the end of the line.
local function enqueue(id, mail, due)
  local ms = redis.call('PTTL', key('mail', id))
  local queue, turns = key('queue', mail.lane, mail.domain), key('turns', mail.lane)
  redis.call('ZADD', queue, due, id)
  redis.call('ZADD', turns, 'LT', due, mail.domain)
  keep(queue, ms)
  keep(turns, ms)
end
local function forget(id)
  redis.call('ZREM', key('leases'), id)
  redis.call('ZREM', key('waiting'), id)
  redis.call('ZREM', key('withheld'), id)
  return redis.call('DEL', key('mail', id))
end
local function release(id, mail, due)
  redis.call('ZREM', key('leases'), id)
  redis.call('HDEL', key('mail', id), 'owner')
  enqueue(id, mail, due)
end
`;

/** ARGV: id, lane, domain, sealed, ttlMs, graceMs, the set that counts it, delayMs until it is due. */
export const enqueueScript = `${common}
local id, ttl = ARGV[1], tonumber(ARGV[5])
local ms = ttl + tonumber(ARGV[6])
local mail = {lane = ARGV[2], domain = ARGV[3]}
redis.call('HSET', key('mail', id), 'lane', ARGV[2], 'domain', ARGV[3], 'sealed', ARGV[4], 'asked', now, 'until', now + ttl)
redis.call('PEXPIRE', key('mail', id), ms)
redis.call('ZADD', key(ARGV[7]), now, id)
keep(key(ARGV[7]), ms)
enqueue(id, mail, now + tonumber(ARGV[8]))`;

/**
 * Renews the leases of a process, takes over expired ones and those that the process has not learnt of because a reply
 * was lost, and leases mails that are due: lane by lane, the domains in turn, within the limits. Forgets the oldest mails
 * that have expired.
 *
 * ARGV: owner, leaseMs, limit, limit for all lanes but `high`, limit per domain, ms between mails (0: no minimum),
 * whether to lease at all, the ids of mails not to lease (separated by spaces), then the ids of mails that this process
 * is delivering or has not settled.
 *
 * Returns the leased mails, whether due mail of the lanes `high` and `normal` waits for a connection, the milliseconds
 * until the next check (-1: nothing to wait for), how many mails are leased, how many are undelivered, and the age of
 * the oldest.
 */
export const claimScript = `${evenWhenFull}
${common}
local owner, leaseMs, maxLeased, maxOrdinary, maxPerDomain = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local interval, mayLease = tonumber(ARGV[6]), ARGV[7] == '1'
local maxWithheld = 50
local isInProgress = {}
local isAvoided, avoided = {}, 0
for id in ARGV[8]:gmatch('%S+') do
  isAvoided[id], avoided = true, avoided + 1
end
for position = 9, #ARGV do
  isInProgress[ARGV[position]] = true
  if redis.call('HGET', key('mail', ARGV[position]), 'owner') == owner then
    redis.call('ZADD', key('leases'), now + leaseMs, ARGV[position])
  end
end
if mayLease then
  for _, id in ipairs(redis.call('ZRANGE', key('leases'), '-inf', now, 'BYSCORE')) do
    local mail = mailOf(id)
    if mail then release(id, mail, mail.asked) else forget(id) end
  end
end

local leased, ordinary, perDomain = 0, 0, {}
local function count(mail)
  if mail.lane == 'withheld' then return end
  leased = leased + 1
  if mail.lane ~= 'high' then ordinary = ordinary + 1 end
  local name = mail.lane .. mail.domain
  perDomain[name] = (perDomain[name] or 0) + 1
end
for _, id in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
  local mail = mailOf(id)
  if not mail then forget(id)
  elseif mail.owner == owner and not isInProgress[id] then release(id, mail, mail.asked)
  else count(mail) end
end

local function isFull(lane)
  return leased >= maxLeased or (lane ~= 'high' and ordinary >= maxOrdinary)
end
local nextMailAt = tonumber(redis.call('GET', key('rate')) or 0)
-- No mail notes a time that far ahead: the clock has been set back since.
if nextMailAt > now + interval then nextMailAt = now end
local function isTooSoon() return interval > 0 and nextMailAt > now end
-- A decoy runs the same commands as a mail, and does not count.
local function noteRate(lane)
  if interval == 0 then return end
  local following = math.max(nextMailAt, now - interval * (maxLeased - 1)) + interval
  local name = lane == 'withheld' and 'decoy' or 'rate'
  redis.call('SET', key(name), following, 'PX', math.ceil(following - now + interval * maxLeased))
  if lane ~= 'withheld' then nextMailAt = following end
end

local jobs, waiting, nextAt = {}, {}, nil
local function firstOf(queue)
  for _, id in ipairs(redis.call('ZRANGE', queue, '-inf', now, 'BYSCORE', 'LIMIT', 0, avoided + 1)) do
    if not isAvoided[id] then return id end
  end
end
-- Without an id, only the domain's turn is set anew. Returns whether there was a mail to lease.
local function lease(lane, domain, id)
  local queue, turns = key('queue', lane, domain), key('turns', lane)
  if id then redis.call('ZREM', queue, id) end
  local following = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if following[2] then redis.call('ZADD', turns, math.max(now, tonumber(following[2])), domain)
  else redis.call('ZREM', turns, domain) end
  local mail = id and mailOf(id)
  if not mail then
    if id then forget(id) end
    return id ~= nil
  end
  redis.call('ZADD', key('leases'), now + leaseMs, id)
  keep(key('leases'), redis.call('PTTL', key('mail', id)))
  redis.call('HSET', key('mail', id), 'owner', owner)
  local sealed, deferred = unpack(redis.call('HMGET', key('mail', id), 'sealed', 'deferred'))
  table.insert(jobs, {id, lane, domain, sealed, now - mail.asked, deferred and now - deferred or 0, mail.until_ - now})
  noteRate(lane)
  count(mail)
  return true
end

local function serve(lane)
  local served = false
  for _, domain in ipairs(redis.call('ZRANGE', key('turns', lane), '-inf', now, 'BYSCORE', 'LIMIT', 0, 100 + avoided)) do
    local id = firstOf(key('queue', lane, domain))
    if lane == 'withheld' then
      if #jobs >= maxWithheld then return false end
      served = lease(lane, domain, id) or served
    elseif (perDomain[lane .. domain] or 0) < maxPerDomain then
      if id and isFull(lane) then waiting[lane] = 1 return false end
      if id and isTooSoon() then nextAt = nextMailAt return false end
      served = lease(lane, domain, id) or served
    end
  end
  return served
end
local function soonest(name)
  local first = redis.call('ZRANGE', name, '(' .. now, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]
  if first and (not nextAt or tonumber(first) < nextAt) then nextAt = tonumber(first) end
end
for _, lane in ipairs({'high', 'normal', 'slow', 'withheld'}) do
  if mayLease then repeat until not serve(lane) end
  soonest(key('turns', lane))
end
soonest(key('leases'))
-- Forgets the oldest that have expired: they may be in no queue. Returns when the first of the others was requested.
local function forgetExpired(set)
  for _ = 1, 100 do
    local id, requestedAt = unpack(redis.call('ZRANGE', key(set), 0, 0, 'WITHSCORES'))
    if not id or mailOf(id) then return requestedAt end
    forget(id)
  end
end
forgetExpired('withheld')
local oldest = forgetExpired('waiting')
return {
  jobs, waiting.high or 0, waiting.normal or 0, nextAt and math.ceil(nextAt - now) or -1, leased,
  redis.call('ZCARD', key('waiting')), oldest and math.max(0, now - oldest) or 0
}`;

/** ARGV: id. Returns whether the mail was still there. */
export const finishScript = `${common}
return forget(ARGV[1])`;

/** ARGV: id, owner, delayMs (-1: its old position), lane. */
export const deferScript = `${evenWhenFull}
${common}
local id, delay = ARGV[1], tonumber(ARGV[3])
local mail = mailOf(id)
if not mail or mail.owner ~= ARGV[2] then return 0 end
mail.lane = ARGV[4]
redis.call('HSET', key('mail', id), 'lane', mail.lane)
if delay >= 0 then redis.call('HSETNX', key('mail', id), 'deferred', now) end
-- A mail that expires before its next attempt comes up once more then, to be given up.
release(id, mail, delay < 0 and mail.asked or math.min(now + delay, mail.until_))
return 1`;
