-- Adds a report to a batch that has not ended. Where the principal's unfinished ones have too many in all, the longest loses
-- its oldest: so many at once that no call takes long.
-- Beyond `ALMOST_FULL` of the memory that Redis may use, a report does not repeat why a lease was not taken down.
-- KEYS: batch, its reports, unfinished batches of its principal.
-- ARGV: id, report, most reports, the report in few bytes. With quota.lua before it.
local TRIMMED_AT_ONCE = 1000
local ALMOST_FULL = 0.9

local function isAlmostFull()
  local info = redis.call('INFO', 'memory')
  local most = tonumber(string.match(info, '\nmaxmemory:(%d+)') or 0)
  return most > 0 and tonumber(string.match(info, '\nused_memory:(%d+)')) >= most * ALMOST_FULL
end

if redis.call('PTTL', KEYS[1]) ~= -1 then
  return 'ended'
end
redis.call('XADD', KEYS[2], '*', 'outcome', isAlmostFull() and ARGV[4] or ARGV[2])
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
