-- Stores an access whose data key was wrapped under another key, where it is still as it was read.
-- KEYS: access, ids of the accesses under the key before, and under the new one. ARGV: id, data before, data.
-- Returns 1, or 0 where it has changed or is gone.
if redis.call('HGET', KEYS[1], 'data') ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], 'data', ARGV[3])
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[1])
return 1
