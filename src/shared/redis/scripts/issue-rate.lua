-- A library: how often something may happen (GCRA, the generic cell rate algorithm).
-- The key holds until when, in µs, what was admitted fills the rate; it may be `burst / rate` seconds ahead, so that
-- `burst` may come at once.
local SECOND = 1000000

-- For how many ms `cost` more at `rate` in a second has to wait, and a function that counts it where that is 0. What
-- costs more than `burst` is admitted when nothing is filled, and all that comes later waits for it; what costs more
-- than `largest` counts as `largest`. Left out: a cost of 1; `burst` as `rate`; `largest` as `burst`.
local function weigh(key, rate, cost, burst, largest)
  burst = tonumber(burst or rate)
  largest = math.max(burst, tonumber(largest or burst))
  cost = math.min(tonumber(cost or 1), largest)
  local each = SECOND / rate
  local time = redis.call('TIME')
  local now = time[1] * SECOND + time[2]
  local stored = tonumber(redis.call('GET', key) or 0)
  -- One that is further ahead was set by a clock that has been put back since.
  local filledUntil = (stored > now and stored <= now + largest * each and stored or now) + cost * each
  local wait = filledUntil - math.max(burst, cost) * each - now
  return math.max(0, math.ceil(wait / 1000)), function()
    redis.call('SET', key, string.format('%.0f', filledUntil), 'PX', math.ceil((filledUntil - now) / 1000))
  end
end

-- Counts it and returns 0, or counts nothing and returns for how many ms to wait.
local function admit(...)
  local wait, count = weigh(...)
  if wait == 0 then
    count()
  end
  return wait
end
