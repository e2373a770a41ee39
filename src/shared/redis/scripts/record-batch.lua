-- Stores a new batch among the unfinished ones.
-- KEYS: batch, unfinished batches. ARGV: id, data.
-- Returns the data of the batch that has this id already, or false.
local earlier = redis.call('GET', KEYS[1])
if earlier then
  return earlier
end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
return false
