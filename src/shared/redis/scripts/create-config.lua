-- Stores a new config under its name and counts it as a user of its access.
-- KEYS: config, names of configs, access. ARGV: name, uid, version, data.
-- Returns 'ok', 'taken' (the name is in use) or 'gone' (the access is not stored).
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'taken'
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  return 'gone'
end
redis.call('HSET', KEYS[1], 'uid', ARGV[2], 'version', ARGV[3], 'data', ARGV[4])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('HINCRBY', KEYS[3], 'uses', 1)
redis.call('PERSIST', KEYS[3])
return 'ok'
