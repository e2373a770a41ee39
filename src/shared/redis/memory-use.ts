import { z } from 'zod';
import type { Keys } from './keys.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';

const memoryScript = loadScript('memory');

const MemoryAnswer = z.tuple([z.coerce.number(), z.coerce.number(), z.coerce.number()]);

/** The memory of the Redis that holds the records, in bytes. */
export interface MemoryUse {
  used: number;
  /** undefined: it has none that we know of. */
  limit: number | undefined;
}

/**
 * Asks the node that holds our keys, and counts as Redis itself does before it answers OOM (getMaxmemoryState in evict.c):
 * without the buffers of replicas and of the append-only file. `otherLimit`: that of the machine or container, where
 * Redis has none or a higher one.
 */
export async function askMemoryUse(
  scripts: ScriptRunner,
  keys: Keys,
  otherLimit: number | undefined,
): Promise<MemoryUse> {
  const [all, notCounted, maxmemory] = MemoryAnswer.parse(await memoryScript(scripts, [keys.due], []));
  const limits = [maxmemory, otherLimit ?? 0].filter((limit) => limit > 0);
  return { used: all - notCounted, limit: limits.length > 0 ? Math.min(...limits) : undefined };
}
