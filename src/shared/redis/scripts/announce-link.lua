-- Says that a gateway's stream is there. Times are of the server's own clock, which all who ask share.
-- KEYS: gateway, identity, links. ARGV: uid, id of the link, link, time to live of all links in ms.
-- Returns 1, or 0 (the identity does not count any more).
local gateway = redis.call('HMGET', KEYS[1], 'uid', 'generation')
local generation = redis.call('HGET', KEYS[2], 'generation')
if gateway[1] ~= ARGV[1] or gateway[2] ~= generation then
  return 0
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[3], ARGV[2], now .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('HSET', KEYS[1], 'lastSeen', now)
return 1
