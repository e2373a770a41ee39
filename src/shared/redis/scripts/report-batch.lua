-- Adds a report to a batch that has not ended. Where the principal's unfinished ones have too many in all, the longest
-- loses its oldest: so many at once that no call takes long.
-- KEYS: batch, its reports, unfinished batches of its principal. ARGV: id, report, most reports.
-- With quota.lua before it.
local TRIMMED_AT_ONCE = 1000
if redis.call('PTTL', KEYS[1]) ~= -1 then
  return 'ended'
end
redis.call('XADD', KEYS[2], '*', 'outcome', ARGV[2])
local reportsOf = prefixOf(KEYS[2], ARGV[1])
local total, longest, most = 0, KEYS[2], 0
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  local count = redis.call('XLEN', reportsOf .. id)
  total = total + count
  if count > most then
    longest, most = reportsOf .. id, count
  end
end
local over = math.min(total - tonumber(ARGV[3]), TRIMMED_AT_ONCE)
if over > 0 then
  redis.call('XTRIM', longest, 'MAXLEN', math.max(0, most - over))
end
return 'ok'
