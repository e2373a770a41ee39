import { expect, test } from 'vitest';
import { withoutRepeats } from '../../src/shared/telemetry/without-repeats.ts';

const MINUTE_MS = 60_000;

/** What is told of errors that come every 100 ms for that long. */
function told(messages: (index: number) => string, forMs: number): string[] {
  let now = 0;
  const lines: string[] = [];
  const hear = withoutRepeats(
    ({ message }) => lines.push(message),
    () => now,
  );
  for (let index = 0; now < forMs; index++, now += 100) {
    hear(new Error(messages(index)));
  }
  return lines;
}

test.each([
  ['the same words', () => 'OOM command not allowed'],
  ['words with ids in them', (index: number) => `could not renew lock for job 0198a7b0-${index}`],
  [
    'a word of Redis, and something else each time',
    (index: number) => `NOPERM this user has no permissions: ${'x'.repeat(index % 50)}`,
  ],
  ['something else each time', (index: number) => `error ${String.fromCharCode(97 + (index % 26), 97 + (index % 23))}`],
])('%s: a few lines a minute', (_, messages) => {
  const inFirst = told(messages, MINUTE_MS).length;
  expect(inFirst).toBeGreaterThan(0);
  expect(inFirst).toBeLessThanOrEqual(10);
  expect(told(messages, 10 * MINUTE_MS).length - inFirst).toBeLessThanOrEqual(10 * 9);
});

test('one kind of error is told at once, then ever more seldom, at most once a minute', () => {
  expect(told(() => 'CLUSTERDOWN', MINUTE_MS)).toHaveLength(4);
  expect(told(() => 'CLUSTERDOWN', 10 * MINUTE_MS).length).toBeLessThan(15);
});

test('what was quiet for a while is news again, with what was left out before', () => {
  let now = 0;
  const lines: [string, number][] = [];
  const hear = withoutRepeats(
    ({ message }, repeats) => lines.push([message, repeats]),
    () => now,
  );
  for (const time of [0, 1, 2, 5_001, 120_000]) {
    now = time;
    hear(new Error('MISCONF'));
  }
  expect(lines).toEqual([
    ['MISCONF', 0],
    ['MISCONF', 2],
    ['MISCONF', 0],
  ]);
});
