-- Keeps a new access for a while. One that is stored already, and may be in use, stays as it is.
-- KEYS: access, ids of the accesses under its key, and those of a principal's trials where it is kept for one.
-- ARGV: data, grace of an unused access in ms, id, most trials of a principal.
-- Returns 'ok' or 'full'. With quota.lua before it.
local LOOKED_AT = 8

if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'ok'
end
if KEYS[3] and not countIn(KEYS[3], ARGV[4], KEYS[1], ARGV[3]) then
  return 'full'
end
redis.call('HSET', KEYS[1], 'data', ARGV[1], 'uses', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
-- Accesses that expired leave their ids. More of them are checked than come, so that few in the set are stale.
local prefix = prefixOf(KEYS[1], ARGV[3])
for _, id in ipairs(redis.call('SRANDMEMBER', KEYS[2], LOOKED_AT)) do
  if redis.call('EXISTS', prefix .. id) == 0 then
    redis.call('SREM', KEYS[2], id)
  end
end
redis.call('SADD', KEYS[2], ARGV[3])
return 'ok'
