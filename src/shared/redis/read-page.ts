import { RecordDamaged } from '../domain/errors.ts';
import type { RedisClient } from './connect-redis.ts';
import { storeCall } from './store-call.ts';

/** An index, and the records that it leads to. */
interface Index<T> {
  /** Its ids after `last`; fewer than `limit` only at its end. */
  idsAfter(last: string | undefined, limit: number): Promise<string[]>;
  /** undefined where the record is gone since. Throws RecordDamaged. */
  read(id: string): Promise<T | undefined>;
}

/**
 * Up to `limit` records in the order of an index, after that of the id `after`. Fewer only at its end, for which readers
 * of page after page take a short one: the places of records that are gone meanwhile, or damaged, are filled with those
 * that follow.
 */
export async function readPage<T>(
  { after, limit }: { after: string | undefined; limit: number },
  { idsAfter, read }: Index<T>,
): Promise<T[]> {
  const records: T[] = [];
  let last = after;
  let isAtEnd = false;
  while (!isAtEnd && records.length < limit) {
    const missing = limit - records.length;
    const ids = await idsAfter(last, missing);
    records.push(
      ...(await Promise.all(ids.map((id) => unlessDamaged(read(id))))).filter((record) => record !== undefined),
    );
    last = ids.at(-1);
    isAtEnd = ids.length < missing;
  }
  return records;
}

async function unlessDamaged<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof RecordDamaged)) {
      throw error;
    }
    return undefined;
  }
}

/** The `idsAfter` of a sorted set of names in lexical order. */
export function namesAfter(redis: RedisClient, key: string): Index<never>['idsAfter'] {
  return (last = '', limit) =>
    storeCall(() => redis.zrange(key, last === '' ? '-' : `(${last}`, '+', 'BYLEX', 'LIMIT', 0, limit));
}
