import { describe, expect, test } from 'vitest';
import { ENDED_STATES, type EndedState, end, endByForce, type Lease } from '../../src/shared/domain/lease.ts';
import { KEPT_WHEN_FULL, type LeaseLimits } from '../../src/shared/domain/lease-limits.ts';
import { active, ended, revoking, START, sampleConfig, sampleLease } from './samples.ts';
import { GENEROUS, type OpenStores, RETENTION_MS } from './stores.ts';

const ALL = { config: undefined, principal: undefined, states: [], before: undefined, limit: 1000 };

/** What every LeaseStore keeps of leases that have ended, and how much. */
export function describeLeaseHistory(open: OpenStores): void {
  async function openWith(limits: Partial<LeaseLimits>) {
    const { leases, configs } = open(RETENTION_MS, { ...GENEROUS, ...limits });
    const config = sampleConfig('blue');
    await configs.keepAccess(config.access);
    await configs.create(config);
    const endOne = async (changes: Partial<Lease> = {}, as: EndedState = 'EXPIRED', endTime = START) => {
      const lease = sampleLease(config, changes);
      const { requestId, principal } = lease;
      await leases.record(lease, requestId === undefined ? undefined : { principal, requestId, fingerprint: 'f' });
      await leases.save(revoking(lease, as));
      expect(await leases.save(ended(revoking(lease, as), endTime))).toBe(true);
      return lease.id;
    };
    const endMany = async (count: number, principal: string) => {
      const ids: string[] = [];
      for (let made = 0; made < count; made++) {
        ids.push(await endOne({ principal }));
      }
      return ids;
    };
    const idsOf = async (principal: string | undefined) =>
      (await leases.list({ ...ALL, principal })).map(({ id }) => id).reverse();
    return { leases, config, endOne, endMany, idsOf };
  }

  describe('the history of a principal', () => {
    test('has its latest leases up to the limit, whatever they ended as, and costs nobody else one', async () => {
      const { leases, endOne, endMany, idsOf } = await openWith({ endedPerPrincipal: 5 });
      const ofVictim = await endMany(5, 'victim');
      const ids: string[] = [];
      for (let made = 0; made < 30; made++) {
        ids.push(await endOne({ principal: 'attacker' }, ENDED_STATES[made % 3]));
      }
      expect(await idsOf('attacker')).toEqual(ids.slice(-5));
      expect(await idsOf('victim')).toEqual(ofVictim);
      expect(await leases.get(ids[0] ?? '')).toBeUndefined();
      for (const query of [ALL, { ...ALL, config: 'blue' }, { ...ALL, config: 'blue', principal: 'attacker' }]) {
        const isOfAttacker = (await leases.list(query)).filter(({ principal }) => principal === 'attacker');
        expect(isOfAttacker).toHaveLength(5);
      }
    });

    test('is bounded where every issue fails', async () => {
      const { endOne, idsOf } = await openWith({ endedPerPrincipal: 3 });
      const ids: string[] = [];
      for (let made = 0; made < 12; made++) {
        ids.push(await endOne({}, 'FAILED'));
      }
      expect(await idsOf('caller')).toEqual(ids.slice(-3));
    });

    test('keeps the lease that has just ended, also where it was issued before all others', async () => {
      const { leases, config, endMany } = await openWith({ endedPerPrincipal: 2 });
      const old = sampleLease(config);
      await leases.record(old);
      await endMany(5, 'caller');
      await leases.save(revoking(old));
      await leases.save(ended(revoking(old)));
      expect(await leases.get(old.id)).toMatchObject({ state: 'REVOKED' });
    });

    test('has those that ended last, not those that were issued last, and their requests', async () => {
      const { leases, config, endOne } = await openWith({ endedPerPrincipal: 3 });
      const request = { principal: 'caller', requestId: 'long', fingerprint: 'f' };
      const long = sampleLease(config, { requestId: 'long' });
      await leases.record(long, request);
      for (let made = 0; made < 5; made++) {
        await endOne({}, 'EXPIRED', START + made);
      }
      await leases.save(revoking(long));
      await leases.save(ended(revoking(long), START + 10));
      const next = await endOne({}, 'EXPIRED', START + 11);
      expect(await leases.get(long.id)).toMatchObject({ state: 'REVOKED' });
      expect(await leases.record(sampleLease(config), request)).toMatchObject({ id: long.id });
      await endOne({}, 'EXPIRED', START + 12);
      await endOne({}, 'EXPIRED', START + 13);
      expect(await leases.get(long.id)).toBeUndefined();
      expect(await leases.get(next)).toMatchObject({ state: 'EXPIRED' });
    });

    test('counts no live lease and no trial', async () => {
      const { leases, config, endOne, idsOf } = await openWith({ endedPerPrincipal: 2 });
      const live = sampleLease(config);
      await leases.record(live);
      const first = await endOne();
      await endOne({ purpose: 'trial' });
      const second = await endOne();
      expect(await idsOf('caller')).toEqual([live.id, first, second]);
    });

    test('forgets the request of a lease with the lease', async () => {
      const { leases, config, endOne } = await openWith({ endedPerPrincipal: 1 });
      const requestOf = (requestId: string) => ({ principal: 'caller', requestId, fingerprint: 'f' });
      await endOne({ requestId: 'r1' });
      const last = await endOne({ requestId: 'r2' });
      expect(await leases.record(sampleLease(config), requestOf('r2'))).toMatchObject({ id: last });
      expect(await leases.record(sampleLease(config), requestOf('r1'))).toBeUndefined();
    });
  });

  test('while there are as many ended leases as may be, who adds one pays with their own, down to a few', async () => {
    const total = KEPT_WHEN_FULL * 2;
    const { endMany, idsOf } = await openWith({ ended: total });
    const ofVictim = await endMany(KEPT_WHEN_FULL + 20, 'victim');
    const first = await endMany(KEPT_WHEN_FULL - 20, 'attacker');
    const later = await endMany(60, 'attacker');
    expect(await idsOf('victim')).toEqual(ofVictim);
    expect(await idsOf('attacker')).toEqual([...first, ...later].slice(-KEPT_WHEN_FULL));
    const ofLatecomer = await endMany(5, 'latecomer');
    expect(await idsOf('latecomer')).toEqual(ofLatecomer);
    await endMany(3, 'victim');
    expect((await idsOf('victim')).length).toBeLessThan(ofVictim.length);
  });

  test('what ended before the retention is forgotten though no further lease ends, slice by slice', async () => {
    const { leases, endOne, idsOf } = await openWith({});
    for (let made = 0; made < 5; made++) {
      await endOne({}, 'REVOKED', START - 1);
    }
    const young = await endOne({}, 'REVOKED', START + 1);
    expect(await leases.forgetEnded(START + RETENTION_MS - 2)).toBe(0);
    let forgotten = 0;
    for (let slice = 1; slice > 0; forgotten += slice) {
      slice = await leases.forgetEnded(START + RETENTION_MS);
    }
    expect(forgotten).toBe(5);
    expect(await idsOf(undefined)).toEqual([young]);
  });

  test('keeps who had what, where, until when and how it ended; after an end by force also what may remain', async () => {
    const { leases, config } = await openWith({});
    const keptOf = async (ending: (lease: Lease & { endAs: EndedState }) => Lease) => {
      const held = active(sampleLease(config, { traceparent: '00-1-2-01' }));
      await leases.record({ ...held, version: 1 });
      const going = { ...revoking({ ...held, version: 1 }), settleTime: START };
      await leases.save(going);
      const last = ending({ ...going, endAs: 'REVOKED' });
      await leases.save(last);
      return { going, last, kept: await leases.get(last.id) };
    };
    const { last, kept } = await keptOf((lease) => end(lease, START));
    const { id, principal, configUid, namespace, serviceAccount, createTime, expireTime, endTime } = last;
    const objects = last.objects.map(({ uid, ...object }) => object);
    const said = {
      id,
      principal,
      config: 'blue',
      configUid,
      namespace,
      serviceAccount,
      state: 'REVOKED',
      endAs: 'REVOKED',
    };
    expect(kept).toMatchObject({ ...said, createTime, expireTime, endTime, objects });
    expect(JSON.stringify(kept)).not.toMatch(/uid-|traceparent|settleTime/);
    const forced = await keptOf((lease) => endByForce(lease, START, 'the cluster is gone'));
    const { objects: remaining } = forced.going;
    expect(forced.kept).toMatchObject({ forced: true, lastError: 'the cluster is gone', objects: remaining });
  });
}
