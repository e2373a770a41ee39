import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { NativeRedis } from '../servers/native-redis.ts';

/** Where the append-only file of a Redis ended at one moment. Its writes are whole commands, so it may be cut there. */
export interface Mark {
  path: string;
  bytes: number;
}

/** Redis 7 appends to the one `.incr.aof` of its folder. */
export async function markNow({ folder }: NativeRedis): Promise<Mark> {
  const appendOnly = join(folder, 'appendonlydir');
  const name = (await readdir(appendOnly)).find((name) => name.endsWith('.incr.aof'));
  if (name === undefined) {
    throw new Error(`there is no append-only file in ${appendOnly}`);
  }
  const path = join(appendOnly, name);
  return { path, bytes: (await stat(path)).size };
}

/** Redis crashes, and what it wrote after the mark had not reached the disk. */
export async function crashBackTo({ path, bytes }: Mark, redis: NativeRedis): Promise<void> {
  await redis.kill();
  await truncate(path, bytes);
  await redis.start();
}
