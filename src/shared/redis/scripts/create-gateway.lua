-- Stores a new gateway under its name, and counts it for the principal that creates it.
-- KEYS: gateway, names of gateways, and the names of the principal's gateways where one is known.
-- ARGV: name, uid, data, most gateways of a principal.
-- Returns 'ok', 'taken' (the name is in use) or 'full'. With quota.lua before it.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'taken'
end
if KEYS[3] and not countIn(KEYS[3], ARGV[4], KEYS[1], ARGV[1]) then
  return 'full'
end
redis.call('HSET', KEYS[1], 'uid', ARGV[2], 'generation', 1, 'data', ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 'ok'
