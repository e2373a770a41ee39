-- Adds a report to a batch that has not ended. Where the principal's unfinished ones have too many in all, the longest
-- loses its oldest: so many at once that no call takes long. Where Redis is almost full, a report does not repeat why a
-- lease was not taken down; where it is fuller still, few reports are kept: taking leases down comes first.
-- KEYS: batch, its reports, unfinished batches of its principal.
-- ARGV: id, report, most reports, the report in few bytes. With quota.lua before it.
local TRIMMED_AT_ONCE = 1000
local ALMOST_FULL, FULL = 0.9, 0.95
local KEPT_WHEN_FULL = 100

-- 0 where it has no limit.
local function usedPart()
  local info = redis.call('INFO', 'memory')
  local limit = tonumber(string.match(info, '\nmaxmemory:(%d+)') or 0)
  return limit > 0 and tonumber(string.match(info, '\nused_memory:(%d+)')) / limit or 0
end

if redis.call('PTTL', KEYS[1]) ~= -1 then
  return 'ended'
end
local used = usedPart()
redis.call('XADD', KEYS[2], '*', 'outcome', used < ALMOST_FULL and ARGV[2] or ARGV[4])
local reportsOf = prefixOf(KEYS[2], ARGV[1])
local total, longest, length = 0, KEYS[2], 0
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  local count = redis.call('XLEN', reportsOf .. id)
  total = total + count
  if count > length then
    longest, length = reportsOf .. id, count
  end
end
local most = used < FULL and tonumber(ARGV[3]) or math.min(KEPT_WHEN_FULL, ARGV[3])
local over = math.min(total - most, TRIMMED_AT_ONCE)
if over > 0 then
  redis.call('XTRIM', longest, 'MAXLEN', math.max(0, length - over))
end
return 'ok'
