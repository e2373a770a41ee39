-- Stores an access whose data key was wrapped under another key, where it is still as it was read.
-- KEYS: access, ids of the accesses under the key before, and under the new one. ARGV: id, data before, data.
-- Returns 'rewrapped', 'left' (it has changed) or 'gone'.
local stored = redis.call('HGET', KEYS[1], 'data')
if not stored then
  redis.call('SREM', KEYS[2], ARGV[1])
  return 'gone'
end
if stored ~= ARGV[2] then
  return 'left'
end
redis.call('HSET', KEYS[1], 'data', ARGV[3])
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[1])
return 'rewrapped'
