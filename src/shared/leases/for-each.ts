import { allDone } from './all-done.ts';

/**
 * Does `work` for each item, `atOnce` of them at the same time: the next begins when any ends, and no more items are
 * asked for than are begun. Where one fails no further one begins, and it throws when those under way are done.
 */
export async function forEach<T>(
  items: AsyncGenerator<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  // All take from the same generator, which ends for all of them where one leaves its loop: once it has answered those
  // that asked before.
  let hasFailed = false;
  await allDone(
    Array.from({ length: atOnce }, async () => {
      for await (const item of items) {
        if (hasFailed) {
          return;
        }
        try {
          await work(item);
        } catch (error) {
          hasFailed = true;
          throw error;
        }
      }
    }),
  );
}
