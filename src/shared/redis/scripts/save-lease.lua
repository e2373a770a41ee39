-- Stores the next version of a lease that lives on.
-- KEYS: lease, due, the access under which it is taken down.
-- ARGV: id, version before, version, data, indexes (JSON), due time, '1' where the request must not lead to this lease
--       any more, grace of an unused access in ms.
-- Returns 1, 0 where the version before is not the stored one, or 'gone' where that access is another one and is not
-- stored.
local stored = redis.call('HMGET', KEYS[1], 'version', 'indexes', 'request', 'access', 'former')
if stored[1] ~= ARGV[2] then
  return 0
end
if stored[4] ~= KEYS[3] and redis.call('EXISTS', KEYS[3]) == 0 then
  return 'gone'
end
if stored[2] ~= ARGV[5] then
  for _, index in ipairs(cjson.decode(stored[2])) do
    redis.call('ZREM', index, ARGV[1])
  end
  for _, index in ipairs(cjson.decode(ARGV[5])) do
    redis.call('ZADD', index, 0, ARGV[1])
  end
end
if ARGV[7] == '1' and stored[3] and redis.call('HGET', stored[3], 'leaseId') == ARGV[1] then
  redis.call('DEL', stored[3])
end
if stored[4] ~= KEYS[3] then
  redis.call('HINCRBY', KEYS[3], 'uses', 1)
  redis.call('PERSIST', KEYS[3])
  -- The access before is kept as the former one; a still older one is given up.
  if stored[5] and redis.call('HINCRBY', stored[5], 'uses', -1) <= 0 then
    redis.call('PEXPIRE', stored[5], redis.call('HGET', stored[5], 'grace') or ARGV[8])
  end
  redis.call('HSET', KEYS[1], 'former', stored[4])
end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'data', ARGV[4], 'indexes', ARGV[5], 'access', KEYS[3])
redis.call('ZADD', KEYS[2], ARGV[6], ARGV[1])
return 1
