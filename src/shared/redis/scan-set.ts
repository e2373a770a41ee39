import type { RedisClient } from './connect-redis.ts';
import { storeCall } from './store-call.ts';

/** Members that Redis looks at in one call: others wait for less than a millisecond. */
const PAGE = 100;

/**
 * The members of a set, page after page, so that no call takes longer where there are more. One that is there all the
 * while is among them, perhaps twice; one that comes or goes meanwhile may be (redis.io/docs/latest/commands/scan).
 */
export async function* scanSet(redis: RedisClient, key: string): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const [next, members] = await storeCall(() => redis.sscan(key, cursor, 'COUNT', PAGE));
    yield members;
    cursor = next;
  } while (cursor !== '0');
}
