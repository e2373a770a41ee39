import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LANE_IS_STUCK, Lanes } from '../../src/worker/lanes.ts';

const PATIENCE_MS = 30;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = () => new Promise<never>(() => undefined);

test('so much runs in a lane at once, and what waits runs in its turn', async () => {
  const lanes = new Lanes(2, 10_000);
  let running = 0;
  let most = 0;
  const work = async (value: number) => {
    running += 1;
    most = Math.max(most, running);
    await Promise.resolve();
    running -= 1;
    return value;
  };
  const results = await Promise.all([1, 2, 3, 4, 5].map((value) => lanes.run('a', () => work(value))));
  expect(results).toEqual([1, 2, 3, 4, 5]);
  expect(most).toBe(2);
});

test('a stuck lane turns away what comes, and leaves other lanes alone', async () => {
  const lanes = new Lanes(1, PATIENCE_MS);
  void lanes.run('stuck', never);
  const patient = lanes.run('stuck', async () => 'ran');
  await vi.advanceTimersByTimeAsync(PATIENCE_MS);
  expect(await patient).toBe(LANE_IS_STUCK);
  // At once: no time passes.
  expect(await lanes.run('stuck', async () => 'ran')).toBe(LANE_IS_STUCK);
  expect(await lanes.run('free', async () => 'ran')).toBe('ran');
});

test('a lane whose work ends, also by failing, takes the next', async () => {
  const lanes = new Lanes(1, PATIENCE_MS);
  const gate = Promise.withResolvers<void>();
  const first = lanes.run('a', () => gate.promise);
  const second = lanes.run('a', async () => 'second');
  gate.reject(new Error('failed'));
  await expect(first).rejects.toThrow('failed');
  expect(await second).toBe('second');
  expect(await lanes.run('a', async () => 'third')).toBe('third');
});
