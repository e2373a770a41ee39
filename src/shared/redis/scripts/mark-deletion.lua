-- Marks a config as being deleted by one call, until a time: no lease on it is recorded meanwhile. Old marks go.
-- KEYS: config.
-- ARGV: uid, id of the call, time in ms for which the mark counts (0: it is taken back), most marks of a config.
-- Returns 'ok', 'changed' (there is no config of that uid) or 'full'.
if redis.call('HGET', KEYS[1], 'uid') ~= ARGV[1] then
  return 'changed'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local marks = cjson.decode(redis.call('HGET', KEYS[1], 'deletions') or '{}')
local kept = {}
local others = 0
for id, untilTime in pairs(marks) do
  if id ~= ARGV[2] and untilTime > now then
    kept[id] = untilTime
    others = others + 1
  end
end
if tonumber(ARGV[3]) > 0 then
  if not marks[ARGV[2]] and others >= tonumber(ARGV[4]) then
    return 'full'
  end
  kept[ARGV[2]] = now + ARGV[3]
end
if next(kept) then
  redis.call('HSET', KEYS[1], 'deletions', cjson.encode(kept))
else
  redis.call('HDEL', KEYS[1], 'deletions')
end
return 'ok'
