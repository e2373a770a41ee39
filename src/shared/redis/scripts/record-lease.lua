-- Makes a PENDING lease durable, with its indexes and its use of the access.
-- KEYS: lease, access, config, due, and the request where there is one.
-- ARGV: id, data, due time, indexes (JSON), uid that the config must have ('' for any), fingerprint of the request,
--       what must have room (JSON: name, indexes of live leases, most), key of the issue rate ('' for none),
--       issues in a second.
-- The request is remembered as long as the lease lives: the script that ends the lease lets it go.
-- Returns {'ok'}, {'seen', lease id}, {'reused', lease id} (another fingerprint), {'gone'} (config or access is),
-- {'deleting'} (a call that deletes the config takes its leases down),
-- {'full', name} or {'early', ms to wait}. With issue-rate.lua before it.
if KEYS[5] then
  local earlier = redis.call('HMGET', KEYS[5], 'fingerprint', 'leaseId')
  if earlier[1] then
    return { earlier[1] == ARGV[6] and 'seen' or 'reused', earlier[2] }
  end
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  return { 'gone' }
end
if ARGV[5] ~= '' and redis.call('HGET', KEYS[3], 'uid') ~= ARGV[5] then
  return { 'gone' }
end
local deletions = ARGV[5] ~= '' and redis.call('HGET', KEYS[3], 'deletions')
if deletions then
  local time = redis.call('TIME')
  for _, untilTime in pairs(cjson.decode(deletions)) do
    if untilTime > time[1] * 1000 then
      return { 'deleting' }
    end
  end
end
for _, room in ipairs(cjson.decode(ARGV[7])) do
  local count = 0
  for _, index in ipairs(room.indexes) do
    count = count + redis.call('ZCARD', index)
  end
  if count >= room.most then
    return { 'full', room.name }
  end
end
-- The last question, because its yes is counted.
local wait = ARGV[8] == '' and 0 or admit(ARGV[8], ARGV[9])
if wait > 0 then
  return { 'early', tostring(wait) }
end
redis.call('HSET', KEYS[1], 'version', '1', 'data', ARGV[2], 'indexes', ARGV[4], 'access', KEYS[2])
for _, index in ipairs(cjson.decode(ARGV[4])) do
  redis.call('ZADD', index, 0, ARGV[1])
end
redis.call('ZADD', KEYS[4], ARGV[3], ARGV[1])
redis.call('HINCRBY', KEYS[2], 'uses', 1)
redis.call('PERSIST', KEYS[2])
if KEYS[5] then
  redis.call('HSET', KEYS[1], 'request', KEYS[5])
  redis.call('HSET', KEYS[5], 'fingerprint', ARGV[6], 'leaseId', ARGV[1])
end
return { 'ok' }
