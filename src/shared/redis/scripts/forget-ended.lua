-- Forgets a slice of the leases that ended long ago. KEYS: ended. ARGV: time before which they ended, how many at most.
-- Returns how many were forgotten. With forget-lease.lua before it.
return forget_before(string.sub(KEYS[1], 1, -(#'ended' + 1)), ARGV[1], ARGV[2])
