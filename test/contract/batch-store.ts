import { v7 as uuidv7 } from 'uuid';
import { expect, test } from 'vitest';
import type { Batch, BatchOutcome } from '../../src/shared/domain/batch.ts';
import type { BatchStore } from '../../src/shared/ports/batch-store.ts';

function sampleBatch(): Batch {
  return {
    id: uuidv7(),
    principal: 'caller',
    target: { kind: 'labels', labels: { team: 'blue' } },
    force: true,
    createTime: 7,
  };
}

function outcome(leaseId: string): BatchOutcome {
  return { leaseId, state: 'REVOKING', error: 'not yet' };
}

function forcedOutcome(leaseId: string): BatchOutcome {
  return { leaseId, state: 'REVOKED', error: 'not confirmed', forced: true };
}

/** What every BatchStore does. `open` gives an empty one for each test. */
export function describeBatchStore(open: () => BatchStore): void {
  test('a batch comes back as it was recorded, and is unfinished', async () => {
    const batches = open();
    const batch = sampleBatch();
    expect(await batches.record(batch)).toBeUndefined();
    expect(await batches.get(batch.id)).toEqual(batch);
    expect(await batches.unfinished()).toEqual([batch.id]);
    expect(await batches.get(uuidv7())).toBeUndefined();
  });

  test('a second one of its id changes nothing and is told of the first', async () => {
    const batches = open();
    const batch = sampleBatch();
    await batches.record(batch);
    expect(await batches.record({ ...batch, target: { kind: 'all' }, createTime: 8 })).toEqual(batch);
    expect(await batches.get(batch.id)).toEqual(batch);
  });

  test('what is reported is read in its order, on from where one stopped', async () => {
    const batches = open();
    const batch = sampleBatch();
    const { id } = batch;
    await batches.record(batch);
    expect(await batches.reports(id, '')).toEqual({ outcomes: [], next: '' });
    await batches.report(batch, outcome('one'));
    await batches.report(batch, forcedOutcome('two'));
    const first = await batches.reports(id, '');
    expect(first.outcomes).toEqual([outcome('one'), forcedOutcome('two')]);
    expect(await batches.reports(id, first.next)).toEqual({ outcomes: [], next: first.next });
    await batches.report(batch, outcome('one'));
    const second = await batches.reports(id, first.next);
    expect(second.outcomes).toEqual([outcome('one')]);
    expect((await batches.reports(id, second.next)).outcomes).toEqual([]);
  });

  test('one that has ended is unfinished no more, and can still be read', async () => {
    const batches = open();
    const [batch, other] = [sampleBatch(), sampleBatch()];
    await batches.record(batch);
    await batches.record(other);
    await batches.report(batch, outcome('one'));
    await batches.end(batch.id, 9);
    expect(await batches.unfinished()).toEqual([other.id]);
    expect(await batches.get(batch.id)).toEqual({ ...batch, endTime: 9 });
    expect((await batches.reports(batch.id, '')).outcomes).toEqual([outcome('one')]);
    expect(await batches.record(batch)).toEqual({ ...batch, endTime: 9 });
  });

  test('the end of one that is not known makes none', async () => {
    const batches = open();
    const { id } = sampleBatch();
    await batches.end(id, 9);
    expect(await batches.get(id)).toBeUndefined();
  });
}
