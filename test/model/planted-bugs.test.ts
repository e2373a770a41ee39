import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { livesOf } from './actions.ts';
import { live } from './live.ts';
import { MIXES } from './mixes.ts';
import { PLANTS } from './plants.ts';
import { startTracing } from './tracing.ts';
import { Violation } from './violation.ts';

// A test of the test: the model sees a bug in each of the nine invariants, and says which one it breaks.

/** The same lives each time, each of the mixes in turn. */
const SEED = 1;
const LIVES = fc.oneof(...Object.values(MIXES).map(livesOf));
const MAX_RUNS = 2_000;

beforeAll(startTracing);

test.each(Object.entries(PLANTS))('it is seen where somebody %s', { timeout: 60_000 }, async (_, plant) => {
  const { errorInstance } = await fc.check(
    fc.asyncProperty(LIVES, (life) => live(life, plant)),
    { seed: SEED, numRuns: MAX_RUNS, endOnFailure: true },
  );
  expect(errorInstance).toBeInstanceOf(Violation);
  expect(plant.breaks).toContain((errorInstance as Violation).invariant);
});

test('each invariant has a bug of its own', () => {
  const broken = new Set(Object.values(PLANTS).flatMap(({ breaks }) => breaks));
  expect([...broken].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
