-- Makes a key known as an identity of a gateway, by an enrollment token that no other key has used.
-- KEYS: token, gateway, ids of its identities, identity.
-- ARGV: id of the identity, public key, most identities of a gateway.
-- Returns the id of the key's identity, the same each time, '' (the token is not accepted) or 'full'.
-- With quota.lua before it.
local token = redis.call('HMGET', KEYS[1], 'uid', 'generation', 'publicKey', 'identityId', 'gateway')
local gateway = redis.call('HMGET', KEYS[2], 'uid', 'generation')
if not token[1] or token[1] ~= gateway[1] or token[2] ~= gateway[2] then
  return ''
end
if token[3] then
  return token[3] == ARGV[2] and token[4] or ''
end
local prefix = prefixOf(KEYS[4], ARGV[1])
local isThere = function(id)
  return redis.call('HGET', prefix .. id, 'generation') == token[2]
end
if not hasRoom(KEYS[3], ARGV[3], isThere) then
  return 'full'
end
redis.call('HSET', KEYS[1], 'publicKey', ARGV[2], 'identityId', ARGV[1])
redis.call('HSET', KEYS[4], 'gateway', token[5], 'uid', token[1], 'generation', token[2], 'publicKey', ARGV[2])
redis.call('SADD', KEYS[3], ARGV[1])
return ARGV[1]
