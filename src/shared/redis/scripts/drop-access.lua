-- Removes an access that no config came to name: at once, or with the last trial lease that is taken down with it.
-- KEYS: access, ids of the accesses under its key. ARGV: id.
local stored = redis.call('HMGET', KEYS[1], 'uses', 'countedIn')
if not stored[1] then
  return 'ok'
end
if tonumber(stored[1]) > 0 then
  redis.call('HSET', KEYS[1], 'grace', 0)
  return 'ok'
end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
if stored[2] then
  redis.call('SREM', stored[2], ARGV[1])
end
return 'ok'
