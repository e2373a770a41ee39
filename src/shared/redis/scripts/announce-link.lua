-- Says that a gateway's stream is there. Times are of the server's own clock, which all who ask share.
-- KEYS: gateway, identity, links.
-- ARGV: uid, id of the link, link, time to live of all links in ms, most links of a gateway,
--       how long a link that is not announced again is believed, in ms.
-- Returns 'ok', 'void' (the identity does not count any more) or 'full'. With fresh-links.lua before it.
local gateway = redis.call('HMGET', KEYS[1], 'uid', 'generation')
local generation = redis.call('HGET', KEYS[2], 'generation')
if gateway[1] ~= ARGV[1] or gateway[2] ~= generation then
  return 'void'
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[5]) and redis.call('HEXISTS', KEYS[3], ARGV[2]) == 0 then
  if #freshLinks(KEYS[3], ARGV[6]) >= tonumber(ARGV[5]) then
    return 'full'
  end
end
redis.call('HSET', KEYS[3], ARGV[2], now .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('HSET', KEYS[1], 'lastSeen', now)
return 'ok'
