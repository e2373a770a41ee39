-- A library: forgets leases that have ended. `prefix` is that of all keys of the installation; the names are those of
-- keys.ts. The principal is part of two of them, and may be long: an ended record has it once, in its data, and has no
-- list of its indexes.
local ENDED_STATES = { 'EXPIRED', 'REVOKED', 'FAILED' }

local function is_whole(lease)
  return type(lease) == 'table'
    and type(lease.config) == 'string'
    and type(lease.principal) == 'string'
    and type(lease.state) == 'string'
end

-- Removes the record, its index entries, and its request where that still leads to it. A record that cannot be read
-- must not stop the scripts that forget, since leases end in them: its index entries by config stay, and readers skip
-- them.
local function forget(prefix, id)
  local key = prefix .. 'lease:' .. id
  local isJson, lease = pcall(cjson.decode, redis.pcall('HGET', key, 'data'))
  redis.call('DEL', key)
  redis.call('ZREM', prefix .. 'ended', id)
  for _, state in ipairs(ENDED_STATES) do
    redis.call('ZREM', prefix .. 'leases:' .. state, id)
  end
  if not (isJson and is_whole(lease)) then
    return
  end
  redis.call('ZREM', prefix .. 'leases-of:' .. lease.config .. ':' .. lease.state, id)
  redis.call('ZREM', prefix .. 'ended-by:' .. lease.principal, id)
  redis.call('ZREM', prefix .. 'leases-by:' .. lease.principal .. ':' .. lease.state, id)
  redis.call('ZREM', prefix .. 'leases-of-by:' .. lease.config .. ':' .. lease.principal .. ':' .. lease.state, id)
  local request = prefix .. 'request:' .. tostring(lease.requestId) .. ':' .. lease.principal
  if redis.pcall('HGET', request, 'leaseId') == id then
    redis.call('DEL', request)
  end
end

-- Forgets up to `most` of those that ended before `time`, the first that ended first. Returns how many.
local function forget_before(prefix, time, most)
  local ids = redis.call('ZRANGEBYSCORE', prefix .. 'ended', '-inf', time, 'LIMIT', 0, most)
  for _, id in ipairs(ids) do
    forget(prefix, id)
  end
  return #ids
end

-- The first issued of those in `indexes`.
local function first_issued(indexes)
  local first
  for _, index in ipairs(indexes) do
    local id = redis.call('ZRANGE', index, 0, 0)[1]
    if id and (not first or id < first) then
      first = id
    end
  end
  return first
end

local function count_in(indexes)
  local count = 0
  for _, index in ipairs(indexes) do
    count = count + redis.call('ZCARD', index)
  end
  return count
end

-- Forgets up to `most` of one principal's ended leases, those that ended first. `byEnd` has them by their ends, and
-- `indexes` by their states in the order of issue. Those that ended before there was a `byEnd` are only in the latter:
-- as long as there are some, the first issued go.
local function forget_first(prefix, byEnd, indexes, most)
  for _ = 1, most do
    local isWhole = redis.call('ZCARD', byEnd) >= count_in(indexes)
    local id = isWhole and redis.call('ZRANGE', byEnd, 0, 0)[1] or first_issued(indexes)
    if not id then
      return
    end
    -- Also where its record cannot be read: the next round must find another.
    redis.call('ZREM', byEnd, id)
    for _, index in ipairs(indexes) do
      redis.call('ZREM', index, id)
    end
    forget(prefix, id)
  end
end
