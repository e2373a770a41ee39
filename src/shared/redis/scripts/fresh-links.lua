-- A library: the links of a gateway that were announced lately. It forgets the others, so that there are never more
-- than announce-link.lua admits.
local function freshLinks(links, believedMs)
  local time = redis.call('TIME')
  local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - believedMs
  local fresh = {}
  local stored = redis.call('HGETALL', links)
  for i = 1, #stored, 2 do
    if tonumber(string.match(stored[i + 1], '^%d+')) >= oldest then
      fresh[#fresh + 1] = stored[i + 1]
    else
      redis.call('HDEL', links, stored[i])
    end
  end
  return fresh
end
