import { describe, expect, test } from 'vitest';
import type { Config } from '../../src/shared/domain/config.ts';
import type { Lease } from '../../src/shared/domain/lease.ts';
import { type LeaseLimits, MAX_TRIALS_OF_PRINCIPAL } from '../../src/shared/domain/lease-limits.ts';
import { eventually } from '../support/eventually.ts';
import { active, ended, revoking, sampleConfig, sampleLease } from './samples.ts';
import { GENEROUS, type OpenStores, RETENTION_MS, type Stores } from './stores.ts';

const TOO_MANY_ON_CONFIG = { reason: 'TOO_MANY_LEASES_ON_CONFIG', subject: 'config:blue' };
const TOO_MANY_OF_PRINCIPAL = { reason: 'TOO_MANY_LEASES_OF_PRINCIPAL', subject: 'principal:caller' };
const TOO_MANY_TRIALS = { reason: 'TOO_MANY_TRIALS_OF_PRINCIPAL', subject: 'principal:caller' };
const TOO_EARLY = { reason: 'ISSUE_RATE_EXCEEDED', subject: 'principal:caller' };

/** Where every LeaseStore stops taking leases. */
export function describeLeaseLimits(open: OpenStores): void {
  async function openWith(limits: Partial<LeaseLimits>) {
    const stores = open(RETENTION_MS, { ...GENEROUS, ...limits });
    const blue = await stored(stores, 'blue');
    const record = (changes: Partial<Lease> = {}, config = blue) => recorded(stores, config, changes);
    return { ...stores, blue, record };
  }

  describe('a limit of live leases', () => {
    test('of a config is of all principals together, and of no other config', async () => {
      const stores = await openWith({ perConfig: 2 });
      await stores.record({ principal: 'one' });
      await stores.record({ principal: 'other' });
      await expect(stores.record()).rejects.toMatchObject(TOO_MANY_ON_CONFIG);
      await stores.record({}, await stored(stores, 'green'));
    });

    test('of a principal is on all configs together, and of no other principal', async () => {
      const stores = await openWith({ perPrincipal: 2 });
      await stores.record();
      await stores.record({}, await stored(stores, 'green'));
      await expect(stores.record()).rejects.toMatchObject(TOO_MANY_OF_PRINCIPAL);
      await stores.record({ principal: 'other' });
    });

    test('counts a lease in each of its states until its end', async () => {
      const stores = await openWith({ perConfig: 1, perPrincipal: 1 });
      let lease = await stores.record();
      for (const step of [active, revoking] as const) {
        await expect(stores.record()).rejects.toMatchObject(TOO_MANY_ON_CONFIG);
        lease = step(lease);
        expect(await stores.leases.save(lease)).toBe(true);
      }
      await expect(stores.record()).rejects.toMatchObject(TOO_MANY_ON_CONFIG);
      expect(await stores.leases.save(ended(lease))).toBe(true);
      await stores.record();
    });

    test('is not passed by many at the same time', async () => {
      const stores = await openWith({ perConfig: 7 });
      const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => stores.record()));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(7);
    });

    test('leaves nothing of what it refuses', async () => {
      const stores = await openWith({ perConfig: 1 });
      const first = await stores.record();
      const refused = sampleLease(stores.blue);
      await expect(stores.leases.record(refused, REQUEST)).rejects.toMatchObject(TOO_MANY_ON_CONFIG);
      expect(await stores.leases.get(refused.id)).toBeUndefined();
      await stores.leases.save(revoking(first));
      await stores.leases.save(ended(revoking(first)));
      expect(await stores.leases.record(refused, REQUEST)).toBeUndefined();
    });

    test('lets trials through, and does not count them as leases', async () => {
      const stores = await openWith({ perConfig: 1, perPrincipal: 1, issueRate: 1 });
      await stores.record({ purpose: 'trial' });
      await stores.record();
      await stores.record({ purpose: 'trial' });
    });

    test('of trial leases is of each principal, and counts each until its end', async () => {
      const stores = await openWith({});
      const trials = await Promise.all(
        Array.from({ length: MAX_TRIALS_OF_PRINCIPAL }, () => stores.record({ purpose: 'trial' })),
      );
      const [one, other] = trials as [Lease, Lease];
      await expect(stores.record({ purpose: 'trial' })).rejects.toMatchObject(TOO_MANY_TRIALS);
      await expect(stores.record({ purpose: 'trial' }, await stored(stores, 'green'))).rejects.toMatchObject(
        TOO_MANY_TRIALS,
      );
      await stores.record({ purpose: 'trial', principal: 'another' });
      await stores.record();

      const failed = { ...one, state: 'REVOKING', endAs: 'FAILED', version: 2, nextTryTime: one.expireTime } as const;
      expect(await stores.leases.save(failed)).toBe(true);
      expect(await stores.leases.save(active(other))).toBe(true);
      await expect(stores.record({ purpose: 'trial' })).rejects.toMatchObject(TOO_MANY_TRIALS);
      expect(await stores.leases.save(ended(failed))).toBe(true);
      await stores.record({ purpose: 'trial' });
      await expect(stores.record({ purpose: 'trial' })).rejects.toMatchObject(TOO_MANY_TRIALS);
    });

    test('lets a repeated request through to its lease', async () => {
      const stores = await openWith({ perConfig: 1, perPrincipal: 1, issueRate: 1 });
      const lease = sampleLease(stores.blue);
      expect(await stores.leases.record(lease, REQUEST)).toBeUndefined();
      expect(await stores.leases.record(sampleLease(stores.blue), REQUEST)).toEqual(lease);
    });
  });

  describe('the issue rate', () => {
    test('is counted for each principal, over issues and renewals', async () => {
      const stores = await openWith({ issueRate: 2 });
      await stores.record();
      await stores.leases.admitRenewal('caller');
      await expect(stores.record()).rejects.toMatchObject(TOO_EARLY);
      await expect(stores.leases.admitRenewal('caller')).rejects.toMatchObject(TOO_EARLY);
      await stores.record({ principal: 'other' });
    });

    test('says after how long there is room again, and then there is for one', async () => {
      const stores = await openWith({ issueRate: 1 });
      await stores.record();
      const refusal = await stores.record().catch((error: unknown) => error);
      expect(refusal).toMatchObject({ ...TOO_EARLY, retryAfterMs: expect.any(Number) });
      const { retryAfterMs } = refusal as { retryAfterMs: number };
      expect(retryAfterMs).toBeGreaterThan(0);
      expect(retryAfterMs).toBeLessThanOrEqual(1000);
      await eventually(() => stores.record());
      await expect(stores.record()).rejects.toMatchObject(TOO_EARLY);
    });

    test('does not count what a limit refuses', async () => {
      const stores = await openWith({ perConfig: 1, issueRate: 2 });
      await stores.record();
      for (let attempt = 0; attempt < 5; attempt++) {
        await expect(stores.record()).rejects.toMatchObject(TOO_MANY_ON_CONFIG);
      }
      await stores.record({}, await stored(stores, 'green'));
    });
  });
}

const REQUEST = { principal: 'caller', requestId: 'r', fingerprint: 'f' };

async function stored(stores: Stores, name: string): Promise<Config> {
  const config = sampleConfig(name);
  await stores.configs.keepAccess(config.access);
  await stores.configs.create(config);
  return config;
}

async function recorded({ leases }: Stores, config: Config, changes: Partial<Lease>): Promise<Lease> {
  const lease = sampleLease(config, changes);
  expect(await leases.record(lease)).toBeUndefined();
  return lease;
}
