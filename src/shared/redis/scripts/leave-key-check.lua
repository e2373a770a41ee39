-- Keeps the check of a key-encryption key, where there is none of its id.
-- KEYS: checks. ARGV: id of the key, its check.
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return 'ok'
