-- Makes all identities and enrollment tokens of a gateway void. What is void goes in slices (forget-identities.lua).
-- KEYS: gateway. ARGV: uid.
-- Returns 'ok' or 'gone' (there is none, or another of its name).
if redis.call('HGET', KEYS[1], 'uid') ~= ARGV[1] then
  return 'gone'
end
redis.call('HINCRBY', KEYS[1], 'generation', 1)
return 'ok'
