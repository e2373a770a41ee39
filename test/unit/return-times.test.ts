import { expect, test } from 'vitest';
import { ReturnTimes } from '../../src/worker/return-times.ts';

const NOW = 1_000_000;
const A_SECOND = 1_000;

/** When each of so many that are turned away at the same time comes back, in ms from then. */
function turnAway(times: ReturnTimes, count: number, whose: (index: number) => string, now = NOW): number[] {
  return Array.from({ length: count }, (_, index) => times.next(whose(index), now));
}

/** The most that come back within any second. */
function densest(waits: readonly number[]): number {
  const sorted = waits.toSorted((one, other) => one - other);
  return Math.max(
    ...sorted.map((from, index) => sorted.slice(index).findIndex((wait) => wait > from + A_SECOND)),
    sorted.filter((wait) => wait >= (sorted.at(-1) ?? 0) - A_SECOND).length,
  );
}

test.each([
  ['one config', 1],
  ['ten configs', 10],
])('5,000 alarms of %s come back at a steady rate', (_, configs) => {
  const waits = turnAway(new ReturnTimes(() => 0.5), 5_000, (index) => `${index % configs}`);
  expect(densest(waits)).toBeLessThan(600);
  expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
});

test('another, whose alarm is turned away after 5,000, comes back first', () => {
  const times = new ReturnTimes(() => 0.5);
  turnAway(times, 5_000, () => 'many');
  expect(times.next('one', NOW)).toBeLessThan(A_SECOND);
});

test('the first comes back soon once those before it have passed', () => {
  const times = new ReturnTimes(() => 0.5);
  turnAway(times, 5_000, () => 'many');
  expect(times.next('many', NOW + 30_000)).toBeLessThan(A_SECOND);
});

test.each([0, 0.5, 1])('none is away for more than a minute, however many there are', (random) => {
  const waits = turnAway(new ReturnTimes(() => random), 100_000, () => 'many');
  expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(500);
});

test('a clock that is put back by an hour keeps none away for longer', () => {
  const times = new ReturnTimes(() => 0.5);
  turnAway(times, 10, () => 'many');
  const [wait] = turnAway(times, 1, () => 'many', NOW - 3_600_000);
  expect(wait).toBeLessThanOrEqual(60_000);
});
