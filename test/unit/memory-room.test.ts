import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ResourceExhausted, Unavailable } from '../../src/shared/domain/errors.ts';
import { MemoryRoom } from '../../src/shared/redis/memory-room.ts';
import type { MemoryUse } from '../../src/shared/redis/memory-use.ts';
import { recordStoreMemory } from '../../src/shared/telemetry/metrics.ts';
import { recordMetrics } from '../support/record-metrics.ts';

const LIMIT = 1_000;
const NEXT_MEASUREMENT_MS = 500;
const FULL = { reason: 'STORE_ALMOST_FULL', subject: 'store' };

let use: MemoryUse | Error;
let told: string[];
let rooms: MemoryRoom[];
beforeEach(() => {
  vi.useFakeTimers();
  use = { used: 0, reserved: 0, limit: LIMIT };
  told = [];
  rooms = [];
});
afterEach(() => {
  for (const room of rooms) {
    room.close();
  }
  vi.useRealTimers();
});

async function openRoom(): Promise<MemoryRoom> {
  const room = await MemoryRoom.open({
    highWater: 80,
    async measure() {
      if (use instanceof Error) {
        throw use;
      }
      return use;
    },
    onMeasured: () => undefined,
    onAlmostFull: ({ used }) => told.push(`almost full: ${used}`),
    onRoomAgain: ({ used }) => told.push(`room again: ${used}`),
    onError: ({ message }) => told.push(message),
  });
  rooms.push(room);
  return room;
}

const written = async () => 'written';

async function measured(next: MemoryUse | Error): Promise<void> {
  use = next;
  await vi.advanceTimersByTimeAsync(NEXT_MEASUREMENT_MS);
}

test.each([
  ['new', 'below the mark', { used: 700, reserved: 0, limit: LIMIT }, 'written'],
  ['new', 'at the mark', { used: 800, reserved: 0, limit: LIMIT }, FULL],
  ['new', 'by what take-downs may need besides', { used: 500, reserved: 300, limit: LIMIT }, FULL],
  ['new', 'by its own bytes', { used: 795, reserved: 0, limit: LIMIT }, FULL],
  ['new', 'without a limit', { used: 10_000, reserved: 10_000, limit: undefined }, 'written'],
  ['repair', 'above the mark', { used: 850, reserved: 0, limit: LIMIT }, 'written'],
  ['repair', 'above half of what is above the mark', { used: 700, reserved: 200, limit: LIMIT }, FULL],
  ['repair', 'by its own bytes', { used: 895, reserved: 0, limit: LIMIT }, FULL],
  ['repair', 'without a limit', { used: 10_000, reserved: 10_000, limit: undefined }, 'written'],
] as const)('a write that grows the store (%s), %s', async (kind, _, now, expected) => {
  use = now;
  const room = await openRoom();
  const outcome = await room.grow(10, written, kind).catch((error: unknown) => error);
  if (typeof expected === 'string') {
    expect(outcome).toBe(expected);
  } else {
    expect(outcome).toMatchObject(expected);
  }
});

test('a burst of repairs takes half of what is above the mark, and leaves the rest to take-downs', async () => {
  use = { used: 820, reserved: 0, limit: LIMIT };
  const room = await openRoom();
  const burst = await Promise.allSettled(Array.from({ length: 20 }, () => room.grow(10, written, 'repair')));
  expect(burst.filter(({ status }) => status === 'fulfilled')).toHaveLength(7);
});

const atLimit = async () => {
  throw new ResourceExhausted('TOO_MANY_LEASES_OF_PRINCIPAL', 'as many as it may', { subject: 'one', retryAfterMs: 1 });
};

test.each<[what: string, attempt: (room: MemoryRoom) => Promise<unknown>]>([
  ['a caller who is at a limit', (room) => room.grow(10, atLimit, 'new').catch(() => undefined)],
  [
    'a caller who repeats a request',
    (room) =>
      room.grow(
        10,
        async () => 'an earlier one',
        'new',
        () => false,
      ),
  ],
])('%s does not use up the room of others by trying on and on', async (_, attempt) => {
  const room = await openRoom();
  for (let tries = 0; tries < 100; tries++) {
    await attempt(room);
  }
  expect(await room.grow(10, written, 'new')).toBe('written');
});

test('a write whose answer is lost counts until it is measured', async () => {
  const room = await openRoom();
  const lost = async () => {
    throw new Unavailable('STORE_UNAVAILABLE', 'no answer');
  };
  await expect(room.grow(795, lost, 'new')).rejects.toThrow('no answer');
  await expect(room.grow(10, written, 'new')).rejects.toMatchObject(FULL);
  await measured({ used: 0, reserved: 0, limit: LIMIT });
  await measured({ used: 0, reserved: 0, limit: LIMIT });
  expect(await room.grow(10, written, 'new')).toBe('written');
});

test('it is said once when the mark is reached, and once when there is room again, somewhat below', async () => {
  const room = await openRoom();
  for (const used of [799, 800, 810, 799, 785, 900, 779, 700]) {
    await measured({ used, reserved: 0, limit: LIMIT });
  }
  expect(told).toEqual(['almost full: 800', 'room again: 779']);
  expect(await room.grow(10, written, 'new')).toBe('written');
});

test('a Redis that stays just below the mark, because what would pass it is refused, counts as almost full', async () => {
  const room = await openRoom();
  await measured({ used: 795, reserved: 0, limit: LIMIT });
  await expect(room.grow(10, written, 'new')).rejects.toMatchObject(FULL);
  await measured({ used: 795, reserved: 0, limit: LIMIT });
  await measured({ used: 790, reserved: 0, limit: LIMIT });
  await measured({ used: 770, reserved: 0, limit: LIMIT });
  expect(told).toEqual(['almost full: 795', 'room again: 770']);
});

test('a burst that is refused in part, and found to be small, is not told of', async () => {
  const room = await openRoom();
  await Promise.allSettled(Array.from({ length: 20 }, () => room.grow(100, written, 'new')));
  await measured({ used: 400, reserved: 0, limit: LIMIT });
  expect(told).toEqual([]);
  expect(await room.grow(100, written, 'new')).toBe('written');
});

test('a burst between two measurements does not pass the mark, and what Redis has counted is not counted twice', async () => {
  const room = await openRoom();
  const burst = await Promise.allSettled(Array.from({ length: 20 }, () => room.grow(100, written, 'new')));
  expect(burst.filter(({ status }) => status === 'fulfilled')).toHaveLength(7);
  await measured({ used: 700, reserved: 0, limit: LIMIT });
  expect(await room.grow(90, written, 'new')).toBe('written');
  await expect(room.grow(90, written, 'new')).rejects.toMatchObject(FULL);
});

test('a write that is under way while Redis is asked is counted until the next answer', async () => {
  const room = await openRoom();
  const slow = Promise.withResolvers<string>();
  const writing = room.grow(700, () => slow.promise, 'new');
  await measured({ used: 0, reserved: 0, limit: LIMIT });
  await expect(room.grow(100, written, 'new')).rejects.toMatchObject(FULL);
  slow.resolve('late');
  expect(await writing).toBe('late');
  await measured({ used: 0, reserved: 0, limit: LIMIT });
  expect(await room.grow(700, written, 'new')).toBe('written');
});

test('a write that fails is no longer counted after the next answer', async () => {
  const room = await openRoom();
  await expect(room.grow(790, () => Promise.reject(new Error('refused')), 'new')).rejects.toThrow('refused');
  await measured({ used: 0, reserved: 0, limit: LIMIT });
  expect(await room.grow(790, written, 'new')).toBe('written');
});

test('while Redis cannot be asked, what is written counts on top of the last answer', async () => {
  const room = await openRoom();
  await measured({ used: 500, reserved: 0, limit: LIMIT });
  await room.grow(200, written, 'new');
  await measured(new Error('NOPERM'));
  await measured(new Error('NOPERM'));
  await expect(room.grow(200, written, 'new')).rejects.toMatchObject(FULL);
  expect(told).toEqual(['NOPERM', 'NOPERM']);
});

test('a Redis that cannot be asked at the start refuses nothing, and is known to have no limit', async () => {
  use = new Error('NOPERM');
  const room = await openRoom();
  expect(room.isUnlimited).toBe(true);
  expect(await room.grow(10_000, written, 'new')).toBe('written');
});

test('Redis is not asked any more after the close', async () => {
  const room = await openRoom();
  room.close();
  await measured(new Error('asked'));
  expect(told).toEqual([]);
});

test('what is measured is told as metrics', async () => {
  vi.useRealTimers();
  const metrics = recordMetrics();
  recordStoreMemory({ used: 810, reserved: 20, limit: LIMIT }, true);
  const names = ['memory.used', 'memory.reserved', 'memory.limit', 'almost_full'];
  const values = await Promise.all(names.map((name) => metrics.of(`leasehold.store.${name}`)));
  expect(values.map(([point]) => point?.value)).toEqual([810, 20, LIMIT, 1]);
  await metrics.stop();
});
