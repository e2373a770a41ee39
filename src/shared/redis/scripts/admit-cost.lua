-- Counts what a call costs for a rate of a principal.
-- KEYS: the rate. ARGV: rate in a second, cost, burst, the largest cost that there is.
-- Returns 0, or for how many ms to wait; then it is not counted. With issue-rate.lua before it.
return admit(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
