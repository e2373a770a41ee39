-- Counts a renewal for the issue rate of a principal. KEYS: the rate. ARGV: issues in a second.
-- Returns 0, or for how many ms to wait; then it is not counted. With issue-rate.lua before it.
return admit(KEYS[1], ARGV[1])
