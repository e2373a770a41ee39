import { setTimeout as sleep } from 'node:timers/promises';
import { PATIENCE_MS } from './patience.ts';

/**
 * Asks again and again until `probe` returns without throwing; when its patience has ended the last error is thrown.
 * `withinMs` is only for what must not take longer, however busy the machine is.
 */
export async function eventually<T>(
  probe: () => Promise<T>,
  options: { withinMs?: number; everyMs?: number } = {},
): Promise<T> {
  const { withinMs = PATIENCE_MS, everyMs = 100 } = options;
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
