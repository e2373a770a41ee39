-- Stores a new gateway under its name.
-- KEYS: gateway, names of gateways. ARGV: name, uid, data.
-- Returns 'ok' or 'taken' (the name is in use).
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'taken'
end
redis.call('HSET', KEYS[1], 'uid', ARGV[2], 'generation', 1, 'data', ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 'ok'
