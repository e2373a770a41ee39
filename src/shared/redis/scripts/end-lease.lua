-- Stores the last version of a lease, gives up its use of its accesses, and makes room for it: a few of the leases that
-- ended long ago are forgotten, and, where its principal has as many ended ones as it may, those of these that ended
-- first.
-- KEYS: lease, due, ended, its principal's ended leases by their ends, and the same by states in the order of issue.
-- ARGV: id, version before, data, indexes (JSON; empty for a lease that is not listed: it is forgotten at once),
--       end time, time before which ended leases are forgotten, grace of an unused access in ms,
--       time in ms for which its request is remembered ('0': the request must not lead to it any more),
--       most ended leases of a principal, most of all principals, most of a principal while there are as many as that.
-- Returns 1, or 0 where the version before is not the stored one. With forget-lease.lua before it.
local FORGET_AT_ONCE = 10

local stored = redis.call('HMGET', KEYS[1], 'version', 'access', 'request', 'former', 'indexes')
if stored[1] ~= ARGV[2] then
  return 0
end
-- A removal comes first: a Redis whose memory is used up refuses a script at its first write only, and only where that
-- may take memory (`denyoom`). This script gives back more than it takes, so leases end there, too.
redis.call('ZREM', KEYS[2], ARGV[1])
for _, index in ipairs(cjson.decode(stored[5])) do
  redis.call('ZREM', index, ARGV[1])
end
redis.call('DEL', KEYS[1])
for _, access in ipairs({ stored[2], stored[4] or nil }) do
  if redis.call('HINCRBY', access, 'uses', -1) <= 0 then
    redis.call('PEXPIRE', access, redis.call('HGET', access, 'grace') or ARGV[7])
  end
end
-- A time of 0 removes it.
if stored[3] and redis.call('HGET', stored[3], 'leaseId') == ARGV[1] then
  redis.call('PEXPIRE', stored[3], ARGV[8])
end

local prefix = string.sub(KEYS[1], 1, -(#'lease:' + #ARGV[1] + 1))
forget_before(prefix, ARGV[6], FORGET_AT_ONCE)
local indexes = cjson.decode(ARGV[4])
if #indexes == 0 then
  return 1
end
local own = { unpack(KEYS, 5) }
local most = tonumber(ARGV[9])
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[10]) then
  most = math.min(most, tonumber(ARGV[11]))
end
forget_first(prefix, KEYS[4], own, math.min(count_in(own) + 1 - most, FORGET_AT_ONCE))
redis.call('HSET', KEYS[1], 'data', ARGV[3])
for _, index in ipairs(indexes) do
  redis.call('ZADD', index, 0, ARGV[1])
end
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[5], ARGV[1])
return 1
