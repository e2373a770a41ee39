import { beforeEach, describe, expect, test } from 'vitest';
import type { Config } from '../../src/shared/domain/config.ts';
import type { Lease } from '../../src/shared/domain/lease.ts';
import { attentionTime } from '../../src/shared/domain/lease.ts';
import { active, ended, revoking, START, sampleConfig, sampleLease } from './samples.ts';
import { GENEROUS, type OpenStores, RETENTION_MS, type Stores } from './stores.ts';

const EVER = Number.MAX_SAFE_INTEGER;
const PAGE = { offset: 0, limit: 100 };

/** What every LeaseStore does about the records themselves. */
export function describeLeaseStore(open: OpenStores): void {
  let stores: Stores;
  let config: Config;
  beforeEach(async () => {
    stores = open(RETENTION_MS, GENEROUS);
    config = sampleConfig('blue');
    await stores.configs.keepAccess(config.access);
    await stores.configs.create(config);
  });

  async function recorded(changes: Partial<Lease> = {}): Promise<Lease> {
    const lease = sampleLease(config, changes);
    expect(await stores.leases.record(lease)).toBeUndefined();
    return lease;
  }

  async function saved(lease: Lease): Promise<Lease> {
    expect(await stores.leases.save(lease)).toBe(true);
    return lease;
  }

  describe('a record', () => {
    test('comes back as it was stored, version for version', async () => {
      const pending = await recorded({ requestId: 'r', traceparent: '00-1-2-01', audiences: ['a'] });
      expect(await stores.leases.get(pending.id)).toEqual(pending);
      const after = await saved(active(pending));
      expect(await stores.leases.get(pending.id)).toEqual(after);
    });

    test('is not there before it was recorded, and cannot be saved', async () => {
      const lease = sampleLease(config);
      expect(await stores.leases.get(lease.id)).toBeUndefined();
      expect(await stores.leases.save(active(lease))).toBe(false);
      expect(await stores.leases.get(lease.id)).toBeUndefined();
    });

    test('is saved by the first of two writers only', async () => {
      const pending = await recorded();
      const first = await saved(active(pending));
      expect(await stores.leases.save(revoking(pending))).toBe(false);
      expect(await stores.leases.get(pending.id)).toEqual(first);
    });

    test('of two writers at the same time, one wins', async () => {
      const pending = await recorded();
      const wins = await Promise.all([active(pending), revoking(pending)].map((next) => stores.leases.save(next)));
      expect(wins.toSorted()).toEqual([false, true]);
    });

    test('stays readable once it has ended, and cannot end twice', async () => {
      const last = await saved(ended(await saved(revoking(await recorded()))));
      expect(await stores.leases.get(last.id)).toEqual(last);
      expect(await stores.leases.save(last)).toBe(false);
    });

    test('of a trial is forgotten when it has ended', async () => {
      const trial = await recorded({ purpose: 'trial' });
      await saved(ended(await saved(revoking(trial))));
      expect(await stores.leases.get(trial.id)).toBeUndefined();
    });

    test('that ended before the retention is forgotten when another ends', async () => {
      const old = await saved(ended(await saved(revoking(await recorded())), START - RETENTION_MS - 1));
      const young = await saved(ended(await saved(revoking(await recorded()))));
      expect(await stores.leases.get(old.id)).toBeUndefined();
      expect(
        await stores.leases.list({ config: undefined, principal: undefined, states: [], before: undefined, limit: 9 }),
      ).toEqual([young]);
    });
  });

  describe('a config', () => {
    test('that went away in between takes no lease', async () => {
      await stores.configs.delete(config);
      await expect(stores.leases.record(sampleLease(config))).rejects.toMatchObject({ reason: 'CONFIG_CHANGED' });
    });

    test('of the same name that was made later takes none of the earlier one', async () => {
      await stores.configs.delete(config);
      const later = sampleConfig('blue');
      await stores.configs.keepAccess(later.access);
      await stores.configs.create(later);
      await expect(stores.leases.record(sampleLease(config))).rejects.toMatchObject({ reason: 'CONFIG_CHANGED' });
    });

    test('need not be stored yet for a trial, but its access must', async () => {
      const coming = sampleConfig('coming');
      const trial = sampleLease(coming, { purpose: 'trial' });
      await expect(stores.leases.record(trial)).rejects.toMatchObject({ reason: 'CONFIG_CHANGED' });
      await stores.configs.keepAccess(coming.access);
      expect(await stores.leases.record(trial)).toBeUndefined();
    });
  });

  describe('due', () => {
    const dueBefore = async (before: number, page = PAGE) =>
      (await stores.leases.dueBefore(before, page)).map(({ leaseId }) => leaseId);

    test('are those that want attention before then, in the order of their times', async () => {
      const late = await saved(active(await recorded(), START + 3));
      const later = await saved(active(await recorded(), START + 5));
      const latest = await saved(active(await recorded(), START + 4));
      expect(await dueBefore(START + 5)).toEqual([late.id, latest.id]);
      expect(await dueBefore(START + 6)).toEqual([late.id, latest.id, later.id]);
      expect(await dueBefore(START + 6, { offset: 1, limit: 1 })).toEqual([latest.id]);
    });

    test('follows the lease through its life: issue deadline, end, next try', async () => {
      const pending = await recorded();
      const held = active(pending, START + 7_000);
      for (const [lease, store] of [
        [pending, undefined],
        [held, saved],
        [revoking(held, 'EXPIRED', START + 9_000), saved],
      ] as const) {
        await store?.(lease);
        const at = attentionTime(lease);
        expect(await dueBefore(at)).toEqual([]);
        expect(await stores.leases.dueBefore(at + 1, PAGE)).toEqual([{ leaseId: lease.id, at }]);
      }
    });

    test('names trials, and no lease that has ended', async () => {
      const trial = await recorded({ purpose: 'trial' });
      await saved(ended(await saved(revoking(await recorded()))));
      expect(await dueBefore(EVER)).toEqual([trial.id]);
      await saved(ended(await saved(revoking(trial))));
      expect(await dueBefore(EVER)).toEqual([]);
    });
  });

  describe('the list', () => {
    const all = { config: undefined, principal: undefined, states: [], before: undefined, limit: 100 };
    const idsOf = (leases: Lease[]) => leases.map(({ id }) => id);

    test('has the newest first, in pages, and no trial', async () => {
      const first = await recorded();
      const second = await recorded();
      await recorded({ purpose: 'trial' });
      const third = await recorded();
      expect(await stores.leases.list(all)).toEqual([third, second, first]);
      expect(idsOf(await stores.leases.list({ ...all, limit: 2 }))).toEqual([third.id, second.id]);
      expect(idsOf(await stores.leases.list({ ...all, before: second.id }))).toEqual([first.id]);
      expect(await stores.leases.list({ ...all, before: first.id })).toEqual([]);
    });

    test('keeps to the states that are asked for', async () => {
      const pending = await recorded();
      const held = await saved(active(await recorded()));
      const going = await saved(revoking(await recorded()));
      const gone = await saved(ended(await saved(revoking(await recorded()))));
      expect(idsOf(await stores.leases.list({ ...all, states: ['REVOKED'] }))).toEqual([gone.id]);
      expect(idsOf(await stores.leases.list({ ...all, states: ['PENDING', 'REVOKING'] }))).toEqual([
        going.id,
        pending.id,
      ]);
      expect(idsOf(await stores.leases.list({ ...all, states: ['ACTIVE'], before: held.id }))).toEqual([]);
    });

    test('keeps to the config that is asked for', async () => {
      const green = sampleConfig('green');
      await stores.configs.keepAccess(green.access);
      await stores.configs.create(green);
      const onGreen = sampleLease(green);
      await recorded();
      await stores.leases.record(onGreen);
      expect(await stores.leases.list({ ...all, config: 'green' })).toEqual([onGreen]);
      expect(await stores.leases.list({ ...all, config: 'green', states: ['ACTIVE'] })).toEqual([]);
      expect(await stores.leases.list({ ...all, config: 'unknown' })).toEqual([]);
    });

    test('keeps to the principal that is asked for, also on one config, wherever its leases stand', async () => {
      const green = sampleConfig('green');
      await stores.configs.keepAccess(green.access);
      await stores.configs.create(green);
      const [alice, bob] = ['spiffe://test/alice', 'spiffe://test/alice:bob'];
      const first = await recorded({ principal: alice });
      const second = await saved(active(await recorded({ principal: alice })));
      const onGreen = sampleLease(green, { principal: alice });
      await stores.leases.record(onGreen);
      await recorded({ principal: bob });
      const gone = await saved(ended(await saved(revoking(await recorded({ principal: alice })))));
      const ofAlice = { ...all, principal: alice };
      expect(idsOf(await stores.leases.list(ofAlice))).toEqual([gone.id, onGreen.id, second.id, first.id]);
      expect(idsOf(await stores.leases.list({ ...ofAlice, config: 'blue', limit: 2 }))).toEqual([gone.id, second.id]);
      expect(idsOf(await stores.leases.list({ ...ofAlice, states: ['ACTIVE'], before: gone.id }))).toEqual([second.id]);
      expect(await stores.leases.list({ ...all, config: 'green', principal: bob })).toEqual([]);
    });
  });
}
