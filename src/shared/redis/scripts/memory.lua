-- KEYS[1]: any key of the installation, so that in a Cluster the node that holds them is asked.
-- Returns used_memory, the part of it that maxmemory does not count, and maxmemory (0: no limit), in bytes.
local info = redis.call('INFO', 'memory')
local function field(name)
  return string.match(info, '\n' .. name .. ':(%d+)') or '0'
end
return { field('used_memory'), field('mem_not_counted_for_evict'), field('maxmemory') }
