-- Stores the last version of a lease, gives up its use of its accesses, and forgets a few of the leases that ended long ago.
-- KEYS: lease, due, ended.
-- ARGV: id, version before, version, data, indexes (JSON; empty for a lease that is not listed: it is forgotten at once),
--       end time, time before which ended leases are forgotten, grace of an unused access in ms,
--       '1' where the request must not lead to this lease any more.
-- Returns 1, or 0 where the version before is not the stored one.
local FORGET_AT_ONCE = 10

local function forget(leaseKey, id)
  local indexes = redis.call('HGET', leaseKey, 'indexes')
  if indexes then
    for _, index in ipairs(cjson.decode(indexes)) do
      redis.call('ZREM', index, id)
    end
  end
  redis.call('DEL', leaseKey)
end

local stored = redis.call('HMGET', KEYS[1], 'version', 'access', 'request', 'former')
if stored[1] ~= ARGV[2] then
  return 0
end
for _, access in ipairs({ stored[2], stored[4] or nil }) do
  if redis.call('HINCRBY', access, 'uses', -1) <= 0 then
    redis.call('PEXPIRE', access, ARGV[8])
  end
end
if ARGV[9] == '1' and stored[3] and redis.call('HGET', stored[3], 'leaseId') == ARGV[1] then
  redis.call('DEL', stored[3])
end
redis.call('ZREM', KEYS[2], ARGV[1])
forget(KEYS[1], ARGV[1])
local indexes = cjson.decode(ARGV[5])
if #indexes > 0 then
  redis.call('HSET', KEYS[1], 'version', ARGV[3], 'data', ARGV[4], 'indexes', ARGV[5])
  for _, index in ipairs(indexes) do
    redis.call('ZADD', index, 0, ARGV[1])
  end
  redis.call('ZADD', KEYS[3], ARGV[6], ARGV[1])
end
-- All lease keys are one prefix and the id.
local prefix = string.sub(KEYS[1], 1, -(#ARGV[1] + 1))
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[7], 'LIMIT', 0, FORGET_AT_ONCE)) do
  forget(prefix .. id, id)
  redis.call('ZREM', KEYS[3], id)
end
return 1
