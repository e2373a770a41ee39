import { expect, type TestContext } from 'vitest';
import type { Verdict } from './verdict.ts';

/** One try of one fault. */
export interface Trial extends Verdict {
  fault: string;
  /** What else was measured. */
  figures?: Record<string, string | number>;
}

declare module 'vitest' {
  interface TaskMeta {
    trials?: Trial[];
  }
}

/** Puts tries into the table at the end of the run, and fails where one left something behind or could not be made. */
export async function report({ task }: TestContext, trying: Promise<Trial>[]): Promise<void> {
  const results = await Promise.allSettled(trying);
  const trials = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
  task.meta.trials = trials;
  const failures = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
  if (failures.length > 0) {
    throw new AggregateError(failures, failures.map(String).join('\n'));
  }
  expect(trials.length).toBeGreaterThan(0);
  expect(trials.filter(({ orphans, overdue, lost }) => orphans + overdue + lost > 0)).toEqual([]);
}
