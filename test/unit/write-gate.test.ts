import { setImmediate as tick } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { WriteGate } from '../../src/shared/redis/write-gate.ts';

const FULL = new Error("OOM command not allowed when used memory > 'maxmemory'.");

let refuses: Error | undefined;
let told: string[];
let gate: WriteGate;
beforeEach(() => {
  refuses = undefined;
  told = [];
  gate = new WriteGate({
    async probe() {
      if (refuses) {
        throw refuses;
      }
    },
    onRefused: ({ code }) => told.push(`refuses ${code}`),
    onAccepted: ({ code }) => told.push(`takes ${code}`),
    count: () => undefined,
  });
});
afterEach(() => gate.close());

test.each([
  "OOM command not allowed when used memory > 'maxmemory'. script: 12ab, on @user_script:9.",
  "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.",
  'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
  "READONLY You can't write against a read only replica.",
  'NOREPLICAS Not enough good replicas to write.',
])('it hears of: %s', (message) => {
  expect(gate.heard(new Error(message))).toBe(true);
  expect(gate.heard(new Unavailable('STORE_UNAVAILABLE', 'the store', { cause: new Error(message) }))).toBe(true);
});

test.each(['NOPERM this user has no permissions', 'Connection is closed.', 'WRONGTYPE', 'it said OOM'])(
  'it lets pass: %s',
  async (message) => {
    expect(gate.heard(new Error(message))).toBe(false);
    expect(await gate.pass()).toBe(false);
  },
);

test('all who come while writes are refused wait, and go on together when they are taken; both is said once', async () => {
  refuses = FULL;
  let runs = 0;
  const work = Array.from({ length: 20 }, () =>
    gate.retried(async () => {
      runs += 1;
      if (refuses) {
        throw refuses;
      }
      return 'done';
    }),
  );
  await vi.waitFor(() => expect(told).toEqual(['refuses OOM']));
  await vi.waitFor(() => expect(runs).toBe(20));
  await tick();
  refuses = undefined;
  expect(new Set(await Promise.all(work))).toEqual(new Set(['done']));
  expect(runs).toBe(40);
  expect(told).toEqual(['refuses OOM', 'takes OOM']);
});

test('a Redis that goes to and fro is not told again and again', { timeout: 30_000 }, async () => {
  for (let times = 0; times < 3; times++) {
    gate.heard(FULL);
    await gate.pass();
  }
  expect(told).toEqual(['refuses OOM', 'takes OOM']);
});

test('who waits is let go when the process stops', async () => {
  refuses = FULL;
  gate.heard(FULL);
  const waiting = gate.pass();
  gate.close();
  await expect(waiting).rejects.toThrow(Unavailable);
});
