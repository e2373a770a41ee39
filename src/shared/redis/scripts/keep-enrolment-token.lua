-- Stores the hash of an enrollment token for a time.
-- KEYS: token, gateway, and the principal's tokens (a sorted set by the times at which they expire) where one is known.
-- ARGV: name of the gateway, its uid, time to live in ms, hash of the token, most tokens of a principal.
-- Returns 'ok', 'gone' (there is no such gateway, or another of its name) or 'full'.
local stored = redis.call('HMGET', KEYS[2], 'uid', 'generation')
if stored[1] ~= ARGV[2] then
  return 'gone'
end
if KEYS[3] then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now))
  if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then
    return 'full'
  end
  redis.call('ZADD', KEYS[3], string.format('%.0f', now + ARGV[3]), ARGV[4])
  if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[3], ARGV[3])
  end
end
redis.call('HSET', KEYS[1], 'gateway', ARGV[1], 'uid', ARGV[2], 'generation', stored[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'ok'
