-- KEYS: the indexes of the leases that live. They are the installation's, so that in a Cluster the node that holds its keys
-- is asked.
-- Returns used_memory, the part of it that maxmemory does not count, and maxmemory (0: no limit), in bytes; and how many
-- leases there are in the indexes.
local info = redis.call('INFO', 'memory')
local function field(name)
  return string.match(info, '\n' .. name .. ':(%d+)') or '0'
end
local leases = 0
for _, index in ipairs(KEYS) do
  leases = leases + redis.call('ZCARD', index)
end
return { field('used_memory'), field('mem_not_counted_for_evict'), field('maxmemory'), leases }
