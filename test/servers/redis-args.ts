/** How the queue needs its Redis: every write logged, nothing evicted, no snapshots besides. */
export const DURABLE_REDIS_ARGS = ['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'];
