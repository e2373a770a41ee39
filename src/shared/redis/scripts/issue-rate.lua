-- A library: how often something may happen (GCRA, the generic cell rate algorithm).
-- The key holds until when, in µs, what was admitted fills the rate; it may be a second ahead, so that `rate` may come at once.
local SECOND = 1000000

-- Counts one more at `rate` in a second, and returns 0; or counts nothing, and returns for how many ms to wait.
local function admit(key, rate)
  local time = redis.call('TIME')
  local now = time[1] * SECOND + time[2]
  local stored = tonumber(redis.call('GET', key) or 0)
  -- One that is further ahead was set by a clock that has been put back since.
  local filledUntil = (stored > now and stored <= now + SECOND and stored or now) + SECOND / rate
  local wait = filledUntil - SECOND - now
  if wait > 0 then
    return math.ceil(wait / 1000)
  end
  redis.call('SET', key, string.format('%.0f', filledUntil), 'PX', math.ceil((filledUntil - now) / 1000))
  return 0
end
