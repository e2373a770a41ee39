-- Stores a new config under its name and counts it as a user of its access, and for the principal that creates it.
-- KEYS: config, names of configs, access, and the names of the principal's configs where one is known.
-- ARGV: name, uid, version, data, grace of an access that was in use in ms, most configs of a principal, id of the
--       access.
-- Returns 'ok', 'taken' (the name is in use), 'gone' (the access is not stored) or 'full'.
-- With quota.lua and use-access.lua before it.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'taken'
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  return 'gone'
end
if KEYS[4] and not countIn(KEYS[4], ARGV[6], KEYS[1], ARGV[1]) then
  return 'full'
end
redis.call('HSET', KEYS[1], 'uid', ARGV[2], 'version', ARGV[3], 'data', ARGV[4])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
useAccess(KEYS[3], ARGV[7], ARGV[5])
return 'ok'
