import { z } from 'zod';
import { LIVE_STATES } from '../domain/lease.ts';
import type { Keys } from './keys.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';

const memoryScript = loadScript('memory');

const MemoryAnswer = z.tuple([z.coerce.number(), z.coerce.number(), z.coerce.number(), z.number()]);

/**
 * By how many bytes a lease grows at most while its cluster refuses to take it down: its record by `last_error` and the
 * times of its tries (3.5 KB where each character takes three bytes), its job in the queue (1.0 KB), and the report of
 * a batch (1.0 KB). docs/redis.md has the same figures.
 */
export const TAKE_DOWN_BYTES = 5_632;

/** The memory of the Redis that holds the records, in bytes. */
export interface MemoryUse {
  used: number;
  /**
   * What taking down all leases that live may need besides. Those that are being taken down may have some of it already, but
   * what their cluster says may become longer with each try: it is kept for them to their end.
   */
  reserved: number;
  /** undefined: it has none that we know of. */
  limit: number | undefined;
}

/**
 * Asks the node that holds our keys, and counts as Redis itself does before it answers OOM (getMaxmemoryState in
 * evict.c): without the buffers of replicas and of the append-only file. `otherLimit`: that of the machine or
 * container, where Redis has none or a higher one.
 */
export async function askMemoryUse(
  scripts: ScriptRunner,
  keys: Keys,
  otherLimit: number | undefined,
): Promise<MemoryUse> {
  const indexes = LIVE_STATES.map((state) => keys.leasesIn(state));
  const [all, notCounted, maxmemory, leases] = MemoryAnswer.parse(await memoryScript(scripts, indexes, []));
  const limits = [maxmemory, otherLimit ?? 0].filter((limit) => limit > 0);
  return {
    used: all - notCounted,
    reserved: leases * TAKE_DOWN_BYTES,
    limit: limits.length > 0 ? Math.min(...limits) : undefined,
  };
}
