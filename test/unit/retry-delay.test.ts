import { expect, test } from 'vitest';
import { retryDelay } from '../../src/worker/retry-delay.ts';

test('waits double up to the cap and stay there, however many tries there were', () => {
  const longest = [1, 2, 3, 9, 10, 1000, Number.MAX_SAFE_INTEGER].map((tries) =>
    retryDelay(tries, 1000, 300_000, () => 1),
  );
  expect(longest).toEqual([1000, 2000, 4000, 256_000, 300_000, 300_000, 300_000]);
});

test('a random part keeps them apart, and never below half', () => {
  expect(retryDelay(3, 1000, 300_000, () => 0)).toBe(2000);
  expect(retryDelay(3, 1000, 300_000, () => 0.5)).toBe(3000);
});
