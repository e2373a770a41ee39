import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Batch, BatchOutcome } from '../../src/shared/domain/batch.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import { RedisBatchStore } from '../../src/shared/redis/redis-batch-store.ts';
import { PlainScripts } from '../../src/shared/redis/script-runner.ts';
import { startNativeRedis } from '../servers/native-redis.ts';
import { ensureRedisBinary } from '../servers/redis-binary.ts';

// Reports of batches where Redis is almost full: its memory is for leases that are to be taken down.

const LIMIT = 64 * 1024 * 1024;
const LONG_ERROR = '\u4e2d'.repeat(400);

let stack: AsyncDisposableStack;
let redis: Redis;
let batches: RedisBatchStore;
let batch: Batch;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const started = await startNativeRedis(await ensureRedisBinary(), () => undefined, ['--maxmemory', String(LIMIT)]);
  stack.defer(() => started.stop());
  redis = new Redis(started.url);
  stack.defer(() => redis.disconnect());
  batches = new RedisBatchStore(redis, new PlainScripts(redis), new Keys('almost-full'));
  batch = {
    id: randomUUID(),
    principal: 'apikey:tests',
    target: { kind: 'all' },
    force: false,
    createTime: Date.now(),
  };
  await batches.record(batch);
});
afterEach(() => stack.disposeAsync());

/** Somebody else takes so much of the memory that this part of it is used. */
async function useUpTo(part: number): Promise<void> {
  const used = async () => Number(/\nused_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
  for (let count = 0; (await used()) < part * LIMIT; count++) {
    await redis.setrange(`neighbor-${count}`, 100 * 1024, 'x');
  }
}

async function report(count: number): Promise<void> {
  const outcome: Omit<BatchOutcome, 'leaseId'> = { state: 'REVOKING', error: LONG_ERROR };
  for (let done = 0; done < count; done++) {
    await batches.report(batch, { leaseId: `lease-${done}`, ...outcome });
  }
}

async function reports(): Promise<BatchOutcome[]> {
  const all: BatchOutcome[] = [];
  let after = '';
  for (;;) {
    const { outcomes, next } = await batches.reports(batch.id, after);
    if (outcomes.length === 0) {
      return all;
    }
    all.push(...outcomes);
    after = next;
  }
}

test('are whole while there is room', async () => {
  await useUpTo(0.85);
  await report(300);
  expect(await reports()).toEqual(
    Array.from({ length: 300 }, (_, index) => ({ leaseId: `lease-${index}`, state: 'REVOKING', error: LONG_ERROR })),
  );
});

test('leave out the error from 90 % on, and say where it is', async () => {
  await useUpTo(0.91);
  await report(300);
  const kept = await reports();
  expect(kept).toHaveLength(300);
  expect(new Set(kept.map(({ error }) => error))).toEqual(
    new Set(['Redis is almost full: `last_error` of the lease says why']),
  );
});

test('are few from 95 % on: the latest', async () => {
  await useUpTo(0.96);
  await report(300);
  const kept = await reports();
  expect(kept.map(({ leaseId }) => leaseId)).toEqual(Array.from({ length: 100 }, (_, index) => `lease-${200 + index}`));
});
