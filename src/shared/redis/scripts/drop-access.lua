-- Removes an access that no config came to name: at once, or with the last trial lease that is taken down with it.
-- KEYS: access, ids of the accesses under its key, and those of the principal's trials. ARGV: id.
local uses = redis.call('HGET', KEYS[1], 'uses')
if not uses then
  return 'ok'
end
if tonumber(uses) > 0 then
  redis.call('HSET', KEYS[1], 'grace', 0)
  return 'ok'
end
redis.call('DEL', KEYS[1])
for i = 2, #KEYS do
  redis.call('SREM', KEYS[i], ARGV[1])
end
return 'ok'
