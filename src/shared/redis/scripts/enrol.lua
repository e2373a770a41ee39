-- Makes a key known as an identity of a gateway, by an enrolment token that no other key has used.
-- KEYS: token, gateway, ids of its identities, identity. ARGV: id of the identity, public key.
-- Returns the id of the key's identity, the same each time, or '' (the token does not count).
local token = redis.call('HMGET', KEYS[1], 'uid', 'generation', 'publicKey', 'identityId', 'gateway')
local gateway = redis.call('HMGET', KEYS[2], 'uid', 'generation')
if not token[1] or token[1] ~= gateway[1] or token[2] ~= gateway[2] then
  return ''
end
if token[3] then
  return token[3] == ARGV[2] and token[4] or ''
end
redis.call('HSET', KEYS[1], 'publicKey', ARGV[2], 'identityId', ARGV[1])
redis.call('HSET', KEYS[4], 'gateway', token[5], 'uid', token[1], 'generation', token[2], 'publicKey', ARGV[2])
redis.call('SADD', KEYS[3], ARGV[1])
return ARGV[1]
