-- Keeps a new access for a while. One that is stored already, and may be in use, stays as it is.
-- KEYS: access. ARGV: data, grace of an unused access in ms.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'data', ARGV[1], 'uses', 0)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 'ok'
