-- Removes a gateway. From here on none of its identities and enrollment tokens count; the identities go in slices
-- (forget-identities.lua), and its uid is kept until that is done.
-- KEYS: gateway, names of gateways, uids of deleted gateways whose identities are still to go. ARGV: name, uid.
-- Returns 'ok' or 'gone' (there is none, or another of its name).
local stored = redis.call('HMGET', KEYS[1], 'uid', 'countedIn')
if stored[1] ~= ARGV[2] then
  return 'gone'
end
if stored[2] then
  redis.call('SREM', stored[2], ARGV[1])
end
redis.call('SADD', KEYS[3], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[1])
return 'ok'
