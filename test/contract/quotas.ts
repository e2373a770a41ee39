import { describe, expect, test } from 'vitest';
import { DEFAULT_QUOTAS, type Quotas } from '../../src/shared/domain/quotas.ts';
import type { BatchStore } from '../../src/shared/ports/batch-store.ts';
import { eventually } from '../support/eventually.ts';
import { batchOf, MOST, QUOTA_KINDS, type QuotaStores } from './quota-kinds.ts';
import { ended, revoking, sampleConfig, sampleLease } from './samples.ts';

const TRIAL = { principal: 'one', isOfNewConfig: true };

/** How much every store takes. `open` gives empty ones for each test. */
export function describeQuotas(open: (quotas: Quotas) => QuotaStores): void {
  describe.each(Object.entries(QUOTA_KINDS))('a quota of %s', (_what, { quota, reason, tells, subjects, make }) => {
    const [subject, other] = subjects ?? ['principal:one', 'principal:other'];
    const nameOf = (whose: string) => (subjects ? whose : whose.replace('principal:', ''));

    async function filled() {
      const store = await make(open({ ...DEFAULT_QUOTAS, [quota]: MOST }));
      for (let stored = 1; stored < MOST; stored++) {
        await store(nameOf(subject));
      }
      return { store, removeLast: await store(nameOf(subject)) };
    }

    test('is told with what there is too much of and whose it is, and is not of another', async () => {
      const { store } = await filled();
      const refusal = await store(nameOf(subject)).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ name: 'ResourceExhausted', reason, subject });
      expect((refusal as Error).message).toContain(`${subject} has ${MOST} `);
      expect((refusal as Error).message).toContain(tells);
      await store(nameOf(other));
    });

    test('has room again when one is gone', async () => {
      const { store, removeLast } = await filled();
      await removeLast();
      await eventually(() => store(nameOf(subject)));
    });

    test('is not passed by many at the same time', async () => {
      const store = await make(open({ ...DEFAULT_QUOTAS, [quota]: MOST }));
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => store(nameOf(subject))));
      const stored = outcomes.filter(({ status }) => status === 'fulfilled').length;
      expect(stored).toBeLessThanOrEqual(MOST);
    });
  });

  describe('a trial', () => {
    const most = { ...DEFAULT_QUOTAS, trialsPerPrincipal: 1 };

    test('that a config came of is over', async () => {
      const { configs } = open(most);
      const config = sampleConfig('blue');
      await configs.keepAccess(config.access, TRIAL);
      await configs.create(config, 'one');
      const { access } = sampleConfig('blue', { uid: config.uid });
      await configs.keepAccess(access, TRIAL);
      await configs.replace({ ...config, access, version: 2 });
      await configs.keepAccess(sampleConfig('green').access, TRIAL);
    });

    test('that failed leaves its access to the trial lease that still needs it, and no longer', async () => {
      const { configs, leases } = open(most);
      const config = sampleConfig('blue');
      const { access } = config;
      await configs.keepAccess(access, TRIAL);
      const trial = sampleLease(config, { purpose: 'trial' });
      await leases.record(trial);
      await configs.dropAccess(access);
      expect(await configs.getAccess(access.id, config.uid)).toEqual(access);
      await expect(configs.keepAccess(sampleConfig('green').access, TRIAL)).rejects.toMatchObject({
        reason: 'TOO_MANY_TRIALS_OF_PRINCIPAL',
      });

      await leases.save(revoking(trial));
      await leases.save(ended(revoking(trial)));
      await configs.keepAccess(sampleConfig('green').access, TRIAL);
    });
  });

  test('an access that its config gave up goes in a minute, and not in an hour', async () => {
    const { configs, accessGoesIn } = open(DEFAULT_QUOTAS);
    const config = sampleConfig('blue');
    await configs.keepAccess(config.access);
    await configs.create(config);
    const { access } = sampleConfig('blue', { uid: config.uid });
    await configs.keepAccess(access);
    await configs.replace({ ...config, access, version: 2 });
    expect(await accessGoesIn(config.access.id)).toBeLessThanOrEqual(60_000);
    await configs.delete({ ...config, access, version: 2 });
    expect(await accessGoesIn(access.id)).toBeLessThanOrEqual(60_000);
  });

  describe('of batches that have ended, the oldest are forgotten first', () => {
    let endTime = 1_000;

    async function endedBatches(batches: BatchStore, count: number, reports = 1): Promise<string[]> {
      const ids: string[] = [];
      for (let index = 0; index < count; index++) {
        const batch = batchOf('one');
        await batches.record(batch);
        for (let report = 0; report < reports; report++) {
          await batches.report(batch, { leaseId: `lease-${report}`, state: 'REVOKED', error: '' });
        }
        endTime += 1;
        await batches.end(batch.id, endTime);
        ids.push(batch.id);
      }
      return ids;
    }

    async function left(batches: BatchStore, ids: readonly string[]): Promise<string[]> {
      const kept: string[] = [];
      for (const id of ids) {
        const reports = (await batches.reports(id, '')).outcomes.length;
        expect(reports > 0).toBe((await batches.get(id)) !== undefined);
        kept.push(...(reports > 0 ? [id] : []));
      }
      return kept;
    }

    test('beyond so many', async () => {
      const { batches } = open({ ...DEFAULT_QUOTAS, endedBatchesPerPrincipal: 2 });
      const ids = await endedBatches(batches, 4);
      expect(await left(batches, ids)).toEqual(ids.slice(2));
    });

    test('beyond so many reports in all, but never the last one', async () => {
      const { batches } = open({ ...DEFAULT_QUOTAS, reportsPerPrincipal: 7 });
      const ids = await endedBatches(batches, 4, 3);
      expect(await left(batches, ids)).toEqual(ids.slice(2));
      const large = await endedBatches(batches, 1, 7);
      expect(await left(batches, [...ids, ...large])).toEqual(large);
    });

    test('of those that have not ended, the oldest reports of the longest go, and whoever reads along misses none', async () => {
      const { batches } = open({ ...DEFAULT_QUOTAS, reportsPerPrincipal: 7 });
      const [long, short, other] = [batchOf('one'), batchOf('one'), batchOf('other')];
      const report = (batch: typeof long, leaseId: string) =>
        batches.report(batch, { leaseId, state: 'REVOKING', error: '' });
      const read = async (id: string, after = '') => {
        const { outcomes, next } = await batches.reports(id, after);
        return { ids: outcomes.map(({ leaseId }) => leaseId), next };
      };
      for (const batch of [long, short, other]) {
        await batches.record(batch);
      }
      await report(other, 'o1');
      for (const leaseId of ['l1', 'l2', 'l3', 'l4', 'l5']) {
        await report(long, leaseId);
      }
      const { next } = await read(long.id);
      for (const leaseId of ['s1', 's2', 's3']) {
        await report(short, leaseId);
      }
      await report(long, 'l6');
      await report(long, 'l7');
      expect((await read(long.id)).ids).toEqual(['l4', 'l5', 'l6', 'l7']);
      expect((await read(long.id, next)).ids).toEqual(['l6', 'l7']);
      expect((await read(short.id)).ids).toEqual(['s1', 's2', 's3']);
      expect((await read(other.id)).ids).toEqual(['o1']);
    });

    test('what is reported of one that has ended is not kept', async () => {
      const { batches } = open(DEFAULT_QUOTAS);
      const batch = batchOf('one');
      await batches.record(batch);
      await batches.end(batch.id, 9);
      await batches.report(batch, { leaseId: 'late', state: 'REVOKED', error: '' });
      expect((await batches.reports(batch.id, '')).outcomes).toEqual([]);
    });

    test('and those of others stay', async () => {
      const { batches } = open({ ...DEFAULT_QUOTAS, endedBatchesPerPrincipal: 1 });
      const other = batchOf('other');
      await batches.record(other);
      await batches.end(other.id, 9);
      await endedBatches(batches, 3);
      expect(await batches.get(other.id)).toMatchObject({ id: other.id, endTime: 9 });
    });
  });
}
