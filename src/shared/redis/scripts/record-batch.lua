-- Stores a new batch among the unfinished ones.
-- KEYS: batch, unfinished batches, those of its principal. ARGV: id, data, most unfinished batches of a principal.
-- Returns the data of the batch that has this id already, 'full', or false. With quota.lua before it.
local earlier = redis.call('GET', KEYS[1])
if earlier then
  return earlier
end
local prefix = prefixOf(KEYS[1], ARGV[1])
local isThere = function(id)
  -- One that has ended expires, and one that is gone is -2.
  return redis.call('PTTL', prefix .. id) == -1
end
if not hasRoom(KEYS[3], ARGV[3], isThere) then
  return 'full'
end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[1])
return false
