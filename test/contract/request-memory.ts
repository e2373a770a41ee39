import { beforeEach, expect, test } from 'vitest';
import type { Config } from '../../src/shared/domain/config.ts';
import type { RequestKey } from '../../src/shared/ports/lease-store.ts';
import { active, ended, revoking, START, sampleConfig, sampleLease } from './samples.ts';
import { GENEROUS, type OpenStores, RETENTION_MS, type Stores } from './stores.ts';

const KEY: RequestKey = { principal: 'caller', requestId: 'r1', fingerprint: 'f1' };

/** What every LeaseStore remembers of the requests that its leases were issued for. */
export function describeRequestMemory(open: OpenStores): void {
  let stores: Stores;
  let config: Config;
  beforeEach(async () => {
    stores = open(RETENTION_MS, GENEROUS);
    config = sampleConfig('blue');
    await stores.configs.keepAccess(config.access);
    await stores.configs.create(config);
  });

  test('the same request leads to the lease as it stands now, and records nothing', async () => {
    const first = sampleLease(config);
    const second = sampleLease(config);
    expect(await stores.leases.record(first, KEY)).toBeUndefined();
    expect(await stores.leases.record(second, KEY)).toEqual(first);
    await stores.leases.save(active(first));
    expect(await stores.leases.record(second, KEY)).toEqual(active(first));
    expect(await stores.leases.get(second.id)).toBeUndefined();
    expect(await stores.leases.dueBefore(Number.MAX_SAFE_INTEGER, { offset: 0, limit: 9 })).toMatchObject([
      { leaseId: first.id },
    ]);
  });

  test('of two at the same time, one is recorded and the other is led to it', async () => {
    const leases = [sampleLease(config), sampleLease(config)];
    const answers = await Promise.all(leases.map((lease) => stores.leases.record(lease, KEY)));
    const winner = leases[answers.indexOf(undefined)];
    expect(answers.toSorted()).toEqual([winner, undefined]);
  });

  test('another body under the same id is refused, even once the config is gone', async () => {
    const first = sampleLease(config);
    await stores.leases.record(first, KEY);
    const other = { ...KEY, fingerprint: 'f2' };
    await expect(stores.leases.record(sampleLease(config), other)).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
      message: expect.stringContaining(first.id),
    });
    await stores.leases.save(revoking(first));
    await stores.leases.save(ended(revoking(first)));
    await stores.configs.delete(config);
    expect(await stores.leases.record(sampleLease(config), KEY)).toEqual(ended(revoking(first)));
  });

  test('ids of another caller are others', async () => {
    await stores.leases.record(sampleLease(config), KEY);
    const other = { ...KEY, principal: 'somebody else', fingerprint: 'f2' };
    expect(await stores.leases.record(sampleLease(config), other)).toBeUndefined();
  });

  test('the id of a lease on its way to FAILED is free again, and stays with who takes it then', async () => {
    const first = sampleLease(config);
    const second = sampleLease(config);
    await stores.leases.record(first, KEY);
    await stores.leases.save(revoking(first, 'FAILED'));
    expect(await stores.leases.record(second, KEY)).toBeUndefined();
    await stores.leases.save(ended(revoking(first, 'FAILED')));
    expect(await stores.leases.record(sampleLease(config), KEY)).toEqual(second);
  });

  test('the id of a lease that was revoked, or has expired, is not', async () => {
    const first = sampleLease(config);
    await stores.leases.record(first, KEY);
    await stores.leases.save(revoking(first, 'EXPIRED'));
    await stores.leases.save(ended(revoking(first, 'EXPIRED')));
    expect(await stores.leases.record(sampleLease(config), KEY)).toMatchObject({ id: first.id, state: 'EXPIRED' });
  });

  test('the id of a lease is forgotten with it, and only while it leads there', async () => {
    const first = sampleLease(config, { requestId: KEY.requestId });
    await stores.leases.record(first, KEY);
    await stores.leases.save(revoking(first));
    await stores.leases.save(ended(revoking(first), START - RETENTION_MS - 1));
    expect(await stores.leases.forgetEnded(START)).toBe(1);
    const second = sampleLease(config, { requestId: KEY.requestId });
    expect(await stores.leases.record(second, KEY)).toBeUndefined();
    expect(await stores.leases.record(sampleLease(config), KEY)).toEqual(second);
  });

  test('the id of a failed lease stays with the one that took it when the failed one is forgotten', async () => {
    const failed = sampleLease(config, { requestId: KEY.requestId });
    const second = sampleLease(config, { requestId: KEY.requestId });
    await stores.leases.record(failed, KEY);
    await stores.leases.save(revoking(failed, 'FAILED'));
    expect(await stores.leases.record(second, KEY)).toBeUndefined();
    await stores.leases.save(ended(revoking(failed, 'FAILED'), START - RETENTION_MS - 1));
    expect(await stores.leases.forgetEnded(START)).toBe(1);
    expect(await stores.leases.record(sampleLease(config), KEY)).toEqual(second);
  });
}
