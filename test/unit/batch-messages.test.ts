import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { BatchRevokeLeasesResponse } from '../../src/gen/leasehold/v1/lease_service.ts';
import { batchMessages } from '../../src/server/messages/batch-message.ts';
import type { BatchOutcome } from '../../src/shared/domain/batch.ts';
import type { BatchNews } from '../../src/shared/leases/batch.ts';

/** What gRPC clients take by default. */
const CLIENTS_TAKE = 4 * 1024 * 1024;

const outcome = (error: string): BatchOutcome => ({
  leaseId: randomUUID(),
  state: error === '' ? 'REVOKED' : 'REVOKING',
  error,
});

async function* news(...lots: BatchOutcome[][]): AsyncIterable<BatchNews> {
  for (const outcomes of lots) {
    yield { outcomes, ended: false };
  }
  yield { outcomes: [], ended: true };
}

test.each([
  ['without an error', '', 1],
  ['with an error as an API server words it', 'x'.repeat(1_000), 1],
  ['with 16 finalizers that are named', '\u20ac'.repeat(16 * 320), 4],
])('500 outcomes %s: every message fits, and they tell of each lease once', async (_, error, messageCount) => {
  const outcomes = Array.from({ length: 500 }, () => outcome(error));
  const messages = await Array.fromAsync(batchMessages('batch', news(outcomes)));
  for (const message of messages) {
    expect(BatchRevokeLeasesResponse.encode(message).finish().length).toBeLessThan(CLIENTS_TAKE);
  }
  expect(messages).toHaveLength(messageCount + 1);
  expect(messages.flatMap((message) => message.outcomes.map(({ leaseId }) => leaseId))).toEqual(
    outcomes.map(({ leaseId }) => leaseId),
  );
  expect(messages.map(({ done }) => done)).toEqual([...Array<boolean>(messageCount).fill(false), true]);
  const [down, failed] = error === '' ? [500, 0] : [0, 500];
  expect(messages.at(-1)).toMatchObject({ revokedCount: down, failedCount: failed });
});

test('counts in a message are of what was told up to it', async () => {
  const outcomes = Array.from({ length: 500 }, () => outcome('x'.repeat(20_000)));
  const messages = await Array.fromAsync(batchMessages('batch', news(outcomes)));
  let told = 0;
  for (const message of messages) {
    told += message.outcomes.length;
    expect(message.failedCount).toBe(told);
  }
  expect(told).toBe(500);
});
