-- A library: a config comes to name an access, whose trial is over.
local function useAccess(access, id, graceMs)
  redis.call('HINCRBY', access, 'uses', 1)
  redis.call('PERSIST', access)
  redis.call('HSET', access, 'grace', graceMs)
  local trials = redis.call('HGET', access, 'countedIn')
  if trials then
    redis.call('SREM', trials, id)
    redis.call('HDEL', access, 'countedIn')
  end
end
