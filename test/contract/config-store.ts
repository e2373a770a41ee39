import { beforeEach, describe, expect, test } from 'vitest';
import type { Config } from '../../src/shared/domain/config.ts';
import { requireIntact } from '../../src/shared/domain/damaged-config.ts';
import { type Lease, reachBy } from '../../src/shared/domain/lease.ts';
import { asStraight } from '../model/configs.ts';
import { eventually } from '../support/eventually.ts';
import { active, ended, revoking, sampleConfig, sampleLease } from './samples.ts';
import { GENEROUS, type OpenStores, RETENTION_MS, type Stores } from './stores.ts';

/** What every ConfigStore does. */
export function describeConfigStore(open: OpenStores): void {
  let stores: Stores;
  beforeEach(() => {
    stores = open(RETENTION_MS, GENEROUS);
  });

  async function created(name: string, changes: Partial<Config> = {}): Promise<Config> {
    const config = sampleConfig(name, changes);
    await stores.configs.keepAccess(config.access);
    await stores.configs.create(config);
    return config;
  }

  async function end(lease: Lease): Promise<void> {
    expect(await stores.leases.save(revoking(lease))).toBe(true);
    expect(await stores.leases.save(ended(revoking(lease)))).toBe(true);
  }

  describe('a config', () => {
    test('comes back as it was stored, with its token', async () => {
      const config = await created('blue');
      const stored = await stores.configs.get('blue');
      expect(stored).toEqual(config);
      expect(stored && asStraight(requireIntact(stored).access).token.reveal()).toBe('cluster-token-of-blue');
      expect(await stores.configs.get('green')).toBeUndefined();
    });

    test('comes back with its gateway', async () => {
      const gateway = { name: 'private', uid: 'uid-of-private' };
      const straight = sampleConfig('path');
      const path = await created('path', {
        uid: straight.uid,
        access: { ...straight.access, gateway, renewToken: true },
      });
      const own = await created('own', {
        uid: 'uid-of-own',
        access: { kind: 'gateway', id: 'access-of-own', configUid: 'uid-of-own', gateway },
      });
      expect(await stores.configs.get('path')).toEqual(path);
      expect(await stores.configs.get('own')).toEqual(own);
      expect(await stores.configs.getAccess('access-of-own', 'uid-of-own')).toEqual(own.access);
    });

    test('has a name of its own', async () => {
      const config = await created('blue');
      await expect(created('blue')).rejects.toMatchObject({ reason: 'CONFIG_NAME_TAKEN' });
      expect(await stores.configs.get('blue')).toEqual(config);
    });

    test('is not stored where its access is not', async () => {
      await expect(stores.configs.create(sampleConfig('blue'))).rejects.toMatchObject({ reason: 'CONFIG_CHANGED' });
      expect(await stores.configs.get('blue')).toBeUndefined();
    });

    test('is replaced by its next version only, and by one of two writers', async () => {
      const config = await created('blue');
      const next = { ...config, version: 2, labels: { team: 'green' } };
      await stores.configs.replace(next);
      await expect(stores.configs.replace({ ...config, version: 2 })).rejects.toMatchObject({
        reason: 'CONFIG_CHANGED',
      });
      await expect(stores.configs.replace({ ...next, uid: 'another', version: 3 })).rejects.toMatchObject({
        reason: 'CONFIG_CHANGED',
      });
      expect(await stores.configs.get('blue')).toEqual(next);
    });

    test('that was deleted is gone, and cannot be replaced or deleted again', async () => {
      const config = await created('blue');
      await expect(stores.configs.delete({ ...config, version: 2 })).rejects.toMatchObject({
        reason: 'CONFIG_CHANGED',
      });
      await stores.configs.delete(config);
      expect(await stores.configs.get('blue')).toBeUndefined();
      expect(await stores.configs.list({ after: '', limit: 9 })).toEqual([]);
      await expect(stores.configs.delete(config)).rejects.toMatchObject({ reason: 'CONFIG_CHANGED' });
      await expect(stores.configs.replace({ ...config, version: 2 })).rejects.toMatchObject({
        reason: 'CONFIG_CHANGED',
      });
    });

    test('is listed by its name, page after page', async () => {
      const green = await created('green');
      const blue = await created('blue');
      const red = await created('red');
      expect(await stores.configs.list({ after: '', limit: 9 })).toEqual([blue, green, red]);
      expect(await stores.configs.list({ after: '', limit: 2 })).toEqual([blue, green]);
      expect(await stores.configs.list({ after: 'green', limit: 2 })).toEqual([red]);
    });
  });

  describe('deleting a config', () => {
    test('is refused while a lease on it lives, in whatever state', async () => {
      const config = await created('blue');
      const lease = sampleLease(config);
      await stores.leases.record(lease);
      await expect(stores.configs.delete(config)).rejects.toMatchObject({ reason: 'CONFIG_HAS_LIVE_LEASES' });
      await stores.leases.save(revoking(lease));
      await expect(stores.configs.delete(config)).rejects.toMatchObject({ reason: 'CONFIG_HAS_LIVE_LEASES' });
      await stores.leases.save(ended(revoking(lease)));
      await stores.configs.delete(config);
      expect(await stores.configs.get('blue')).toBeUndefined();
    });

    test('does not mind leases on another one', async () => {
      const config = await created('blue');
      await stores.leases.record(sampleLease(await created('blue-2')));
      await stores.configs.delete(config);
      expect(await stores.configs.get('blue')).toBeUndefined();
    });
  });

  describe('a config that is being deleted', () => {
    const LONG_MS = 60_000;
    const BEING_DELETED = { name: 'FailedPrecondition', reason: 'CONFIG_BEING_DELETED' };

    test('takes no lease until the mark is taken back', async () => {
      const config = await created('blue');
      const refused = sampleLease(config);
      await stores.configs.markDeletion(config, 'one', LONG_MS);
      await expect(stores.leases.record(refused)).rejects.toMatchObject(BEING_DELETED);
      expect(await stores.leases.get(refused.id)).toBeUndefined();
      await stores.leases.record(sampleLease(await created('green')));
      await stores.configs.markDeletion(config, 'one', 0);
      expect(await stores.leases.record(refused)).toBeUndefined();
    });

    test('takes leases again when the time of a mark that nobody renews is over', async () => {
      const config = await created('blue');
      await stores.configs.markDeletion(config, 'one', LONG_MS);
      await stores.configs.markDeletion(config, 'one', 1);
      await eventually(() => stores.leases.record(sampleLease(config)));
    });

    test('is marked by each of two calls, and a change of it keeps both marks', async () => {
      const config = await created('blue');
      await stores.configs.markDeletion(config, 'one', LONG_MS);
      await stores.configs.markDeletion(config, 'other', LONG_MS);
      await stores.configs.replace({ ...config, version: 2 });
      await stores.configs.markDeletion(config, 'one', 0);
      await expect(stores.leases.record(sampleLease(config))).rejects.toMatchObject(BEING_DELETED);
      await stores.configs.markDeletion(config, 'other', 0);
      expect(await stores.leases.record(sampleLease(config))).toBeUndefined();
    });

    test('still leads a repeated request to its lease, and lets trials through', async () => {
      const config = await created('blue');
      const request = { principal: 'caller', requestId: 'r', fingerprint: 'f' };
      const lease = sampleLease(config);
      await stores.leases.record(lease, request);
      await stores.configs.markDeletion(config, 'one', LONG_MS);
      expect(await stores.leases.record(sampleLease(config), request)).toEqual(lease);
      expect(await stores.leases.record(sampleLease(config, { purpose: 'trial' }))).toBeUndefined();
    });

    test('takes its marks with it: a later one of its name has none', async () => {
      const config = await created('blue');
      await stores.configs.markDeletion(config, 'one', LONG_MS);
      await stores.configs.delete(config);
      const later = await created('blue');
      await expect(stores.configs.markDeletion(config, 'one', LONG_MS)).rejects.toMatchObject({
        reason: 'CONFIG_CHANGED',
      });
      expect(await stores.leases.record(sampleLease(later))).toBeUndefined();
    });
  });

  describe('an access', () => {
    test('that nobody names goes after a time, and not before', async () => {
      const { access } = sampleConfig('blue');
      expect(await stores.configs.getAccess(access.id, access.configUid)).toBeUndefined();
      await stores.configs.keepAccess(access);
      expect(await stores.configs.getAccess(access.id, access.configUid)).toEqual(access);
      expect(await stores.accessGoesIn(access.id)).toBeGreaterThan(3_000_000);
    });

    test('stays while a config names it, also where it is kept anew', async () => {
      const config = await created('blue');
      await stores.configs.keepAccess(config.access);
      expect(await stores.accessGoesIn(config.access.id)).toBeUndefined();
      await stores.configs.delete(config);
      expect(await stores.accessGoesIn(config.access.id)).toBeGreaterThan(0);
      expect(await stores.configs.getAccess(config.access.id, config.uid)).toEqual(config.access);
    });

    test('stays through a change of the config that keeps it, and goes with one that does not', async () => {
      const config = await created('blue');
      await stores.configs.replace({ ...config, version: 2 });
      expect(await stores.accessGoesIn(config.access.id)).toBeUndefined();
      const { access } = sampleConfig('new', { uid: config.uid });
      await expect(stores.configs.replace({ ...config, version: 3, access })).rejects.toMatchObject({
        reason: 'CONFIG_CHANGED',
      });
      await stores.configs.keepAccess(access);
      await stores.configs.replace({ ...config, version: 3, access });
      expect(await stores.accessGoesIn(config.access.id)).toBeGreaterThan(0);
      expect(await stores.accessGoesIn(access.id)).toBeUndefined();
    });

    test('stays while a lease that was issued under it lives, though its config has another', async () => {
      const config = await created('blue');
      const [one, other] = [sampleLease(config), sampleLease(config)];
      await stores.leases.record(one);
      await stores.leases.record(other);
      const { access } = sampleConfig('new', { uid: config.uid });
      await stores.configs.keepAccess(access);
      await stores.configs.replace({ ...config, version: 2, access });
      await end(one);
      expect(await stores.accessGoesIn(config.access.id)).toBeUndefined();
      await end(other);
      expect(await stores.accessGoesIn(config.access.id)).toBeGreaterThan(0);
    });

    test('stays while a lease names it that was issued under another, which stays as well', async () => {
      const config = await created('blue');
      const pending = sampleLease(config);
      await stores.leases.record(pending);
      const { uid } = config;
      const [second, third] = [sampleConfig('second', { uid }).access, sampleConfig('third', { uid }).access];
      await stores.configs.keepAccess(second);
      await stores.configs.replace({ ...config, version: 2, access: second });
      const held = active(pending);
      const moved = reachBy(held, second.id);
      await stores.leases.save(held);
      await stores.leases.save(moved);
      expect(await stores.accessGoesIn(config.access.id)).toBeUndefined();
      await stores.configs.keepAccess(third);
      await stores.configs.replace({ ...config, version: 3, access: third });
      expect(await stores.accessGoesIn(second.id)).toBeUndefined();
      await stores.leases.save(revoking(moved));
      await stores.leases.save(ended(revoking(moved)));
      expect(await stores.accessGoesIn(second.id)).toBeGreaterThan(0);
      expect(await stores.accessGoesIn(config.access.id)).toBeGreaterThan(0);
    });

    test('that is not stored any more is given to no lease, and does not come back as a shell', async () => {
      const config = await created('blue');
      const pending = sampleLease(config);
      await stores.leases.record(pending);
      const held = active(pending);
      await stores.leases.save(held);
      const { access } = sampleConfig('repaired', { uid: config.uid });
      await stores.configs.keepAccess(access);
      await stores.configs.dropAccess(access);
      await expect(stores.leases.save(reachBy(held, access.id))).rejects.toMatchObject({ reason: 'CONFIG_CHANGED' });
      expect(await stores.leases.get(held.id)).toEqual(held);
      await stores.configs.keepAccess(access);
      expect(await stores.configs.getAccess(access.id, config.uid)).toEqual(access);
    });

    test('belongs to its config: no other one, and no lease of another, gets it', async () => {
      const [blue, green] = [await created('blue'), await created('green')];
      await expect(stores.configs.getAccess(blue.access.id, green.uid)).rejects.toMatchObject({
        reason: 'STORED_SECRET_DAMAGED',
      });
      expect(await stores.configs.getAccess(blue.access.id, blue.uid)).toEqual(blue.access);
    });

    test('is in no further use by a request that was seen before', async () => {
      const config = await created('blue');
      const request = { principal: 'caller', requestId: 'r', fingerprint: 'f' };
      const lease = sampleLease(config);
      await stores.leases.record(lease, request);
      await stores.leases.record(sampleLease(config), request);
      await end(lease);
      await stores.configs.delete(config);
      expect(await stores.accessGoesIn(config.access.id)).toBeGreaterThan(0);
    });
  });
}
