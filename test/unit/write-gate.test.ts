import { setTimeout as sleep, setImmediate as tick } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { WriteGate } from '../../src/shared/redis/write-gate.ts';

const FULL = new Error("OOM command not allowed when used memory > 'maxmemory'.");

let refuses: Error | undefined;
let told: string[];
let counted: string[];
let gate: WriteGate;
beforeEach(() => {
  refuses = undefined;
  told = [];
  counted = [];
  gate = new WriteGate({
    async probe() {
      if (refuses) {
        throw refuses;
      }
    },
    onRefused: ({ code }) => told.push(`refuses ${code}`),
    onAccepted: ({ code }) => told.push(`takes ${code}`),
    count: (code) => counted.push(code),
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

test.each([
  'Connection is closed.',
  "Stream isn't writeable and enableOfflineQueue options is false",
  'Command timed out',
  'LOADING Redis is loading the dataset in memory',
])('a Redis that is away after a refusal is waited for: %s', async (message) => {
  refuses = FULL;
  gate.heard(FULL);
  const passing = gate.pass();
  refuses = new Error(message);
  const during = await Promise.race([passing, sleep(1_200, 'waits')]);
  expect([during, told]).toEqual(['waits', ['refuses OOM']]);
  refuses = undefined;
  expect(await passing).toBe(true);
  expect(told).toEqual(['refuses OOM', 'takes OOM']);
});

test('a probe that fails in any other way lets go whoever waits', async () => {
  refuses = new Error('NOPERM No permissions to access a key');
  gate.heard(FULL);
  expect(await gate.pass()).toBe(true);
});

test.each([
  ['is told of by its script and by its caller', (answer: Error) => [answer, answer]],
  [
    'is wrapped on its way',
    (answer: Error) => [answer, new Unavailable('STORE_UNAVAILABLE', 'the store', { cause: answer })],
  ],
  [
    'is wrapped twice',
    (answer: Error) => [
      new Unavailable('STORE_UNAVAILABLE', 'the store', { cause: answer }),
      new Error('the job failed', { cause: new Unavailable('STORE_UNAVAILABLE', 'the store', { cause: answer }) }),
    ],
  ],
])('a refused write that %s is counted once', (_, tellingsOf) => {
  for (const write of [1, 2]) {
    for (const telling of tellingsOf(new Error(`${FULL.message} ${write}`))) {
      expect(gate.heard(telling)).toBe(true);
    }
  }
  expect(counted).toEqual(['OOM', 'OOM']);
});

test('a Redis that goes to and fro is not told again and again', { timeout: 30_000 }, async () => {
  for (let times = 0; times < 3; times++) {
    gate.heard(FULL);
    await gate.pass();
  }
  expect(told).toEqual(['refuses OOM', 'takes OOM']);
});

test.each([FULL, new Error('Connection is closed.')])(
  'who waits is let go when the process stops: %s',
  async (error) => {
    refuses = error;
    gate.heard(FULL);
    const waiting = gate.pass();
    gate.close();
    await expect(waiting).rejects.toThrow(Unavailable);
  },
);
