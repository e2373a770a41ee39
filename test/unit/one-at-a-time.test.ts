import { setImmediate as tick } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { oneAtATime } from '../../src/worker/one-at-a-time.ts';

test('what is asked for during a run is one more run after it', async () => {
  const runs: PromiseWithResolvers<void>[] = [];
  const ask = oneAtATime(() => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  });
  ask();
  await tick();
  for (let times = 0; times < 5; times++) {
    ask();
    await tick();
  }
  expect(runs).toHaveLength(1);
  runs[0]?.resolve();
  await tick();
  expect(runs).toHaveLength(2);
  runs[1]?.resolve();
  await tick();
  expect(runs).toHaveLength(2);
  ask();
  await tick();
  expect(runs).toHaveLength(3);
});
