-- Stores the hash of an enrolment token for a time.
-- KEYS: token, gateway. ARGV: name of the gateway, its uid, time to live in ms.
-- Returns 'ok' or 'gone' (there is no such gateway, or another of its name).
local stored = redis.call('HMGET', KEYS[2], 'uid', 'generation')
if stored[1] ~= ARGV[2] then
  return 'gone'
end
redis.call('HSET', KEYS[1], 'gateway', ARGV[1], 'uid', ARGV[2], 'generation', stored[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'ok'
