-- The links of a gateway that were announced lately; forgets the others.
-- KEYS: links. ARGV: how long a link that is not announced again is believed, in ms.
-- Returns for each when it was announced, a blank, and the link.
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
local fresh = {}
local stored = redis.call('HGETALL', KEYS[1])
for i = 1, #stored, 2 do
  if tonumber(string.match(stored[i + 1], '^%d+')) >= oldest then
    fresh[#fresh + 1] = stored[i + 1]
  else
    redis.call('HDEL', KEYS[1], stored[i])
  end
end
return fresh
