import type { RedisClient } from './redis/connect-redis.ts';
import type { Keys } from './redis/keys.ts';
import { MemoryRoom } from './redis/memory-room.ts';
import { askMemoryUse, type MemoryUse } from './redis/memory-use.ts';
import { PlainScripts } from './redis/script-runner.ts';
import type { Settings } from './settings.ts';
import type { Logger } from './telemetry/logger.ts';
import { recordStoreMemory } from './telemetry/metrics.ts';
import { withoutRepeats } from './telemetry/without-repeats.ts';

/**
 * Watches the memory of Redis, and reports it by log and metrics. Without a known limit it warns, and refuses nothing.
 */
export async function openMemoryRoom(
  redis: RedisClient,
  keys: Keys,
  settings: Settings,
  log: Logger,
): Promise<MemoryRoom> {
  const { LEASEHOLD_REDIS_HIGH_WATER: highWater, LEASEHOLD_REDIS_MAX_MEMORY: maxMebibytes } = settings;
  const scripts = new PlainScripts(redis);
  const otherLimit = maxMebibytes && maxMebibytes * 1024 * 1024;
  const fields = ({ used, reserved, limit }: MemoryUse) => ({
    usedBytes: used,
    reservedBytes: reserved,
    limitBytes: limit,
    highWater,
  });
  const room = await MemoryRoom.open({
    highWater,
    measure: () => askMemoryUse(scripts, keys, otherLimit),
    onMeasured: recordStoreMemory,
    onAlmostFull: (use) =>
      log.error(
        fields(use),
        'Redis has reached the high-water mark of its memory: nothing is issued or created until leases end. ' +
          'Take-downs, revocations, renewals and reads go on. Raise maxmemory of Redis, and LEASEHOLD_REDIS_MAX_MEMORY where that is set, or remove what else this Redis holds',
      ),
    onRoomAgain: (use) => log.info(fields(use), 'Redis is below the high-water mark again: leases are issued'),
    onError: withoutRepeats((error, repeats) =>
      log.warn({ err: error, repeats }, 'Redis did not report how much memory it uses (INFO memory)'),
    ),
  });
  if (room.isUnlimited) {
    log.warn(
      'the memory of Redis has no known limit (maxmemory is 0): a Redis that fills up is not noticed before it refuses ' +
        'writes or is killed. Set maxmemory in Redis, or LEASEHOLD_REDIS_MAX_MEMORY',
    );
  }
  return room;
}
