import { expect, test } from 'vitest';
import { retryDelay } from '../../src/shared/domain/retry-delay.ts';

const policy = { initialMs: 1000, maxMs: 300_000 };

test('waits double up to the cap and stay there, however many tries there were', () => {
  const longest = [1, 2, 3, 9, 10, 1000, Number.MAX_SAFE_INTEGER].map((tries) => retryDelay(tries, policy, () => 1));
  expect(longest).toEqual([1000, 2000, 4000, 256_000, 300_000, 300_000, 300_000]);
});

test('a random part keeps them apart, and never below half', () => {
  expect(retryDelay(3, policy, () => 0)).toBe(2000);
  expect(retryDelay(3, policy, () => 0.5)).toBe(3000);
});
