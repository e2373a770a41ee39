-- Keeps a new access for a while. One that is stored already, and may be in use, stays as it is.
-- KEYS: access, ids of the accesses under its key. ARGV: data, grace of an unused access in ms, id.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'data', ARGV[1], 'uses', 0)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('SADD', KEYS[2], ARGV[3])
end
return 'ok'
