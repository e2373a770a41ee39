-- Removes the void ones among a slice of a gateway's identities. May be repeated.
-- KEYS: ids of its identities, uids of deleted gateways whose identities are still to go.
-- ARGV: uid, what keys of identities begin with, what keys of gateways begin with, cursor of the slice ('0' begins),
--       slice.
-- Returns the cursor of the next slice, '0' where this was the last.
local page = redis.call('SSCAN', KEYS[1], ARGV[4], 'COUNT', ARGV[5])
for _, id in ipairs(page[2]) do
  local identity = redis.call('HMGET', ARGV[2] .. id, 'gateway', 'generation')
  local gateway = identity[1] and redis.call('HMGET', ARGV[3] .. identity[1], 'uid', 'generation') or {}
  if gateway[1] ~= ARGV[1] or gateway[2] ~= identity[2] then
    redis.call('DEL', ARGV[2] .. id)
    redis.call('SREM', KEYS[1], id)
  end
end
if page[1] == '0' and redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SREM', KEYS[2], ARGV[1])
end
return page[1]
