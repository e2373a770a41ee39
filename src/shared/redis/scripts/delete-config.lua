-- Removes a config on which no lease lives.
-- KEYS: config, names of configs, access, why its token was not renewed, then the indexes of its live leases.
-- ARGV: name, uid, version, grace of an access that was in use in ms.
-- Returns 'ok', 'live' (leases live) or 'changed' (the version is not the stored one).
local stored = redis.call('HMGET', KEYS[1], 'uid', 'version', 'countedIn')
if stored[1] ~= ARGV[2] or stored[2] ~= ARGV[3] then
  return 'changed'
end
for i = 5, #KEYS do
  if redis.call('ZCARD', KEYS[i]) > 0 then
    return 'live'
  end
end
redis.call('DEL', KEYS[1], KEYS[4])
redis.call('ZREM', KEYS[2], ARGV[1])
if stored[3] then
  redis.call('SREM', stored[3], ARGV[1])
end
if redis.call('EXISTS', KEYS[3]) == 1 and redis.call('HINCRBY', KEYS[3], 'uses', -1) <= 0 then
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
return 'ok'
