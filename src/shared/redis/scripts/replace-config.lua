-- Stores the next version of a config and moves its use from the old access to the new one.
-- KEYS: config, old access, new access, why the token of the old one was not renewed.
-- ARGV: uid, version before, version, data, grace of an access that was in use in ms, id of the new
--       access.
-- Returns 'ok', 'changed' (the version before is not the stored one) or 'gone' (the new access is not stored).
-- With use-access.lua before it.
local stored = redis.call('HMGET', KEYS[1], 'uid', 'version')
if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then
  return 'changed'
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  return 'gone'
end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'data', ARGV[4])
useAccess(KEYS[3], ARGV[6], ARGV[5])
if KEYS[2] ~= KEYS[3] then
  redis.call('DEL', KEYS[4])
end
if redis.call('EXISTS', KEYS[2]) == 1 and redis.call('HINCRBY', KEYS[2], 'uses', -1) <= 0 then
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
return 'ok'
