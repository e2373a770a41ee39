-- Stores a batch that has ended. It and its reports go after a time, or when its principal has enough later ones.
-- KEYS: batch, its reports, unfinished batches, those of its principal, the principal's ended ones by their ends.
-- ARGV: id, data, time in ms for which it is kept, its end, most ended batches of a principal, most reports in them.
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('SREM', KEYS[4], ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
redis.call('PEXPIRE', KEYS[5], ARGV[3])
local batches = prefixOf(KEYS[1], ARGV[1])
local reportsOf = prefixOf(KEYS[2], ARGV[1])
local count, reports = 0, 0
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[5], 0, -1)) do
  count = count + 1
  reports = reports + redis.call('XLEN', reportsOf .. id)
  if id ~= ARGV[1] and (count > tonumber(ARGV[5]) or reports > tonumber(ARGV[6])) then
    -- A stream is long: Redis frees it beside its other work.
    redis.call('UNLINK', batches .. id, reportsOf .. id)
    redis.call('ZREM', KEYS[5], id)
  end
end
return 'ok'
