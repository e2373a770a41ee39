import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FairTurns, type NoTurn } from '../../src/shared/kubernetes/fair-turns.ts';
import type { Purpose } from '../../src/shared/ports/cluster.ts';

const PATIENCE_MS = 10_000;

let turns: FairTurns;
let done: string[];
beforeEach(() => {
  vi.useFakeTimers();
  turns = new FairTurns(1);
  done = [];
});
afterEach(() => {
  vi.useRealTimers();
});

/** Wants a turn; what came of it. Its name is kept in the order in which turns come. */
function want(purpose: Purpose, principal: string, configUid = 'config'): Promise<'done' | string> {
  const name = `${purpose} of ${principal} on ${configUid}`;
  return turns
    .run({ purpose, principal, configUid }, PATIENCE_MS, async () => void done.push(name))
    .then(
      () => 'done',
      (error: NoTurn) => error.message,
    );
}

/** Holds the only turn until it is released. */
function hold(): () => void {
  const held = Promise.withResolvers<void>();
  void turns.run({ purpose: 'take-down', principal: 'holder', configUid: 'other' }, PATIENCE_MS, () => held.promise);
  return held.resolve;
}

test('goes by purpose, whoever came first', async () => {
  const release = hold();
  const waiting = (['trial', 'question', 'issue', 'take-down'] as const).map((purpose) => want(purpose, 'a'));
  release();
  await Promise.all(waiting);
  expect(done.map((name) => name.split(' ')[0])).toEqual(['take-down', 'issue', 'question', 'trial']);
});

test('principals take turns, and so do the configs of each', async () => {
  const release = hold();
  const waiting = [
    ...['1', '1', '2'].map((config) => want('issue', 'a', config)),
    ...['3', '3'].map((config) => want('issue', 'b', config)),
  ];
  release();
  await Promise.all(waiting);
  expect(done).toEqual(['a on 1', 'b on 3', 'a on 2', 'b on 3', 'a on 1'].map((who) => `issue of ${who}`));
});

test('take-downs without end leave some turns to issues, questions and trials', async () => {
  const release = hold();
  const waiting = Array.from({ length: 100 }, () => want('take-down', 'a'));
  waiting.push(want('trial', 'b'), want('question', 'b'), want('issue', 'b'));
  release();
  await Promise.all(waiting);
  const places = ['issue', 'question', 'trial'].map((purpose) => done.findIndex((name) => name.startsWith(purpose)));
  expect(Math.max(...places)).toBeLessThan(60);
  expect(Math.min(...places)).toBeGreaterThan(10);
});

test('where too many wait in all, the longest line of the least purpose gives way', async () => {
  const release = hold();
  const trials = Array.from({ length: 256 }, () => want('trial', 'many'));
  const others = Array.from({ length: 4_096 - 256 }, (_, i) => want('question', `one-${i % 100}`));
  const last = want('take-down', 'victim');
  expect(await trials.at(-1)).toContain('4096 calls wait for their turn already');
  release();
  expect(await last).toBe('done');
  expect(done[0]).toContain('victim');
  expect(new Set(await Promise.all(others))).toEqual(new Set(['done']));
});

test('a call that waits too long is told so, though no turn comes free', async () => {
  hold();
  const early = want('issue', 'a');
  vi.advanceTimersByTime(4_000);
  const late = want('issue', 'b');
  vi.advanceTimersByTime(6_000);
  expect(await early).toContain('its turn did not come in time');
  vi.advanceTimersByTime(4_000);
  expect(await late).toContain('its turn did not come in time');
});
