-- A library: whether a set that counts against a quota has room for one more. Its members are what is counted, so that
-- nothing drifts: where it is full, members that are gone are taken out, so many that no call takes long.
local PRUNED_AT_ONCE = 256

local function hasRoom(set, most, isThere)
  if redis.call('SCARD', set) < tonumber(most) then
    return true
  end
  for _, member in ipairs(redis.call('SRANDMEMBER', set, PRUNED_AT_ONCE)) do
    if not isThere(member) then
      redis.call('SREM', set, member)
    end
  end
  return redis.call('SCARD', set) < tonumber(most)
end

-- What all keys like `key` begin with, which ends with `id`.
local function prefixOf(key, id)
  return string.sub(key, 1, -(#id + 1))
end

-- Counts `id` in the set, and says so in its record `key`; returns false where the set is full. A member whose record
-- says otherwise is gone.
local function countIn(set, most, key, id)
  local prefix = prefixOf(key, id)
  local isThere = function(member)
    return redis.call('HGET', prefix .. member, 'countedIn') == set
  end
  if not hasRoom(set, most, isThere) then
    return false
  end
  redis.call('SADD', set, id)
  redis.call('HSET', key, 'countedIn', set)
  return true
end
