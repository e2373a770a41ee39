import { setTimeout as sleep } from 'node:timers/promises';

/** Asks again and again until `probe` returns without throwing; after the deadline its last error is thrown. */
export async function eventually<T>(
  probe: () => Promise<T>,
  options: { withinMs?: number; everyMs?: number } = {},
): Promise<T> {
  const { withinMs = 20_000, everyMs = 100 } = options;
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (Date.now() > deadline) {
        throw error;
      }
      await sleep(everyMs);
    }
  }
}
