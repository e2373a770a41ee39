-- Stores a new gateway under its name, and counts it for the principal that creates it.
-- KEYS: gateway, names of gateways, and the names of the principal's gateways where one is known.
-- ARGV: name, uid, data, most gateways of a principal.
-- Returns 'ok', 'taken' (the name is in use) or 'full'. With quota.lua before it.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'taken'
end
if KEYS[3] then
  local prefix = prefixOf(KEYS[1], ARGV[1])
  local isThere = function(name)
    return redis.call('HGET', prefix .. name, 'countedIn') == KEYS[3]
  end
  if not hasRoom(KEYS[3], ARGV[4], isThere) then
    return 'full'
  end
  redis.call('SADD', KEYS[3], ARGV[1])
  redis.call('HSET', KEYS[1], 'countedIn', KEYS[3])
end
redis.call('HSET', KEYS[1], 'uid', ARGV[2], 'generation', 1, 'data', ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 'ok'
