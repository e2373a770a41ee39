-- Removes a gateway with its identities. Its enrolment tokens count no more without it.
-- KEYS: gateway, names of gateways, ids of its identities, identities... ARGV: name, uid.
-- Returns 'ok' or 'gone' (there is none, or another of its name).
if redis.call('HGET', KEYS[1], 'uid') ~= ARGV[2] then
  return 'gone'
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[1], unpack(KEYS, 3))
return 'ok'
