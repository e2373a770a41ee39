-- Makes all identities and enrolment tokens of a gateway count no more.
-- KEYS: gateway, ids of its identities, identities... ARGV: uid.
-- Returns 'ok' or 'gone' (there is none, or another of its name).
if redis.call('HGET', KEYS[1], 'uid') ~= ARGV[1] then
  return 'gone'
end
redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('DEL', unpack(KEYS, 2))
return 'ok'
