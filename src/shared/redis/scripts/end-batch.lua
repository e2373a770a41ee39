-- Stores a batch that has ended, and lets it and its reports go after a time.
-- KEYS: batch, its reports, unfinished batches. ARGV: id, data, time in ms for which it is kept.
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('SREM', KEYS[3], ARGV[1])
return 'ok'
