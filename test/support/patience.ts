/**
 * How long a test waits for something that must come, on a machine that has much else to do. Such a wait asserts nothing
 * about speed: what comes late still came.
 */
export const PATIENCE_MS = 120_000;

/** The deadline of a test or a hook: some of those waits, one after the other. */
export const TEST_TIMEOUT_MS = 5 * PATIENCE_MS;

/** Deadlines of calls to a cluster that is well: to the tests it is, too, where it answers late. */
export const PATIENT_LIMITS = { connectTimeoutMs: 10_000, callTimeoutMs: 30_000 };

/** The same for commands to Redis. */
export const PATIENT_REDIS_MS = 20_000;
