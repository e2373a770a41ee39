/**
 * How long to wait after the given number of tries: it doubles from `initialMs` up to `maxMs`, and of that a random part
 * between half and all, so that leases that failed together do not come back together. Milliseconds.
 */
export function retryDelay(tries: number, initialMs: number, maxMs: number, random = Math.random): number {
  const full = Math.min(maxMs, initialMs * 2 ** Math.min(tries - 1, 52));
  return Math.round(full / 2 + (random() * full) / 2);
}
