import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { describe, expect, test } from 'vitest';
import type { GatewayRef } from '../../src/shared/domain/config.ts';
import { DEFAULT_QUOTAS, type Quotas } from '../../src/shared/domain/quotas.ts';
import type { BatchStore } from '../../src/shared/ports/batch-store.ts';
import type { ConfigStore } from '../../src/shared/ports/config-store.ts';
import type { GatewayLinks, GatewayStore } from '../../src/shared/ports/gateway-store.ts';
import type { LeaseStore } from '../../src/shared/ports/lease-store.ts';
import { eventually } from '../support/eventually.ts';
import { ended, revoking, sampleConfig, sampleLease } from './samples.ts';

/** Empty stores with these quotas. */
export interface QuotaStores {
  configs: ConfigStore;
  leases: LeaseStore;
  gateways: GatewayStore;
  links: GatewayLinks;
  batches: BatchStore;
  accessGoesIn(id: string): Promise<number | undefined>;
}

/** So many of each may be stored. */
const MOST = 3;

const HOUR_MS = 3_600_000;

/** A kind of thing that is counted: how one is stored for somebody, and how the last one goes again. */
interface Kind {
  quota: keyof Quotas;
  reason: string;
  /** What an operator reads: the limit, and what to do. */
  tells: string;
  /** Whose quota it is, and whose is another. Default: principals. */
  subjects?: readonly [string, string];
  make(
    stores: QuotaStores,
  ): Promise<{ store(whose: string): Promise<unknown>; remove(whose: string): Promise<unknown> }>;
}

const KINDS: Record<string, Kind> = {
  configs: {
    quota: 'configsPerPrincipal',
    reason: 'TOO_MANY_CONFIGS_OF_PRINCIPAL',
    tells: 'LEASEHOLD_MAX_CONFIGS_PER_PRINCIPAL',
    async make({ configs }) {
      const last = new Map<string, ReturnType<typeof sampleConfig>>();
      return {
        async store(whose) {
          const config = sampleConfig(`config-${randomUUID()}`);
          await configs.keepAccess(config.access);
          await configs.create(config, whose);
          last.set(whose, config);
        },
        async remove(whose) {
          await configs.delete(last.get(whose) ?? expect.fail('none was stored'));
        },
      };
    },
  },
  'trials of configs': {
    quota: 'trialsPerPrincipal',
    reason: 'TOO_MANY_TRIALS_OF_PRINCIPAL',
    tells: 'wait until the objects of failed trials are removed',
    async make({ configs }) {
      const last = new Map<string, ReturnType<typeof sampleConfig>['access']>();
      return {
        async store(whose) {
          const { access } = sampleConfig('tried');
          await configs.keepAccess(access, whose);
          last.set(whose, access);
        },
        async remove(whose) {
          await configs.dropAccess(last.get(whose) ?? expect.fail('none was stored'));
        },
      };
    },
  },
  gateways: {
    quota: 'gatewaysPerPrincipal',
    reason: 'TOO_MANY_GATEWAYS_OF_PRINCIPAL',
    tells: 'LEASEHOLD_MAX_GATEWAYS_PER_PRINCIPAL',
    async make({ gateways }) {
      const last = new Map<string, GatewayRef>();
      return {
        async store(whose) {
          const gateway = { name: `gateway-${randomUUID()}`, uid: randomUUID(), createTime: 0 };
          await gateways.create(gateway, whose);
          last.set(whose, gateway);
        },
        async remove(whose) {
          await gateways.delete(last.get(whose) ?? expect.fail('none was stored'));
        },
      };
    },
  },
  'enrollment tokens': {
    quota: 'enrollmentTokensPerPrincipal',
    reason: 'TOO_MANY_ENROLLMENT_TOKENS',
    tells: 'wait until some expire',
    async make({ gateways }) {
      const gateway = await gatewayIn(gateways);
      let count = 0;
      return {
        async store(whose) {
          // The last one that fits expires at once.
          count += 1;
          await gateways.keepToken(gateway, randomUUID(), count === MOST ? 500 : HOUR_MS, whose);
        },
        remove: async () => undefined,
      };
    },
  },
  'identities of a gateway': {
    quota: 'identitiesPerGateway',
    reason: 'TOO_MANY_IDENTITIES_OF_GATEWAY',
    tells: 'revoke_identities',
    subjects: ['gateway:one', 'gateway:other'],
    async make({ gateways }) {
      const all = await gatewaysIn(gateways);
      return {
        store: (whose) => enroll(gateways, all(whose)),
        remove: (whose) => gateways.revokeIdentities(all(whose)),
      };
    },
  },
  'streams of a gateway': {
    quota: 'streamsPerGateway',
    reason: 'TOO_MANY_STREAMS_OF_GATEWAY',
    tells: 'agents connected',
    subjects: ['gateway:one', 'gateway:other'],
    async make({ gateways, links }) {
      const all = await gatewaysIn(gateways);
      const linkOf = async (gateway: GatewayRef) => ({
        id: randomUUID(),
        gateway,
        identityId: (await enroll(gateways, gateway)).id,
        instanceId: randomUUID(),
        version: '1',
        connectTime: 0,
        server: 'server:1',
      });
      const last = new Map<string, Awaited<ReturnType<typeof linkOf>>>();
      return {
        async store(whose) {
          const link = await linkOf(all(whose));
          await links.announce(link);
          // One that is there is announced again and again.
          expect(await links.announce(link)).toBe(true);
          last.set(whose, link);
        },
        async remove(whose) {
          await links.withdraw(last.get(whose) ?? expect.fail('none was stored'));
        },
      };
    },
  },
  'unfinished batches': {
    quota: 'batchesPerPrincipal',
    reason: 'TOO_MANY_BATCHES_OF_PRINCIPAL',
    tells: 'wait until some end',
    async make({ batches }) {
      const last = new Map<string, string>();
      return {
        async store(principal) {
          const batch = batchOf(principal);
          await batches.record(batch);
          // A repeated call finds its own.
          expect(await batches.record(batch)).toEqual(batch);
          last.set(principal, batch.id);
        },
        remove: (principal) => batches.end(last.get(principal) ?? '', 9),
      };
    },
  },
  'deletions of a config': {
    quota: 'deletionsPerConfig',
    reason: 'TOO_MANY_DELETIONS_OF_CONFIG',
    tells: 'wait until they end',
    subjects: ['config:one', 'config:other'],
    async make({ configs }) {
      const last = new Map<string, string>();
      const all = new Map<string, ReturnType<typeof sampleConfig>>();
      for (const name of ['one', 'other']) {
        const config = sampleConfig(name);
        await configs.keepAccess(config.access);
        await configs.create(config);
        all.set(`config:${name}`, config);
      }
      const mark = (whose: string, id: string, ms: number) =>
        configs.markDeletion(all.get(whose) ?? expect.fail('no such config'), id, ms);
      return {
        async store(whose) {
          const id = randomUUID();
          await mark(whose, id, HOUR_MS);
          // Whoever deletes moves the end of its mark again and again.
          await mark(whose, id, HOUR_MS);
          last.set(whose, id);
        },
        remove: (whose) => mark(whose, last.get(whose) ?? '', 0),
      };
    },
  },
};

function batchOf(principal: string) {
  return { id: uuidv7(), principal, target: { kind: 'all' } as const, createTime: 7 };
}

async function gatewayIn(gateways: GatewayStore, name = `gateway-${randomUUID()}`): Promise<GatewayRef> {
  const gateway = { name, uid: randomUUID() };
  await gateways.create({ ...gateway, createTime: 0 });
  return gateway;
}

async function gatewaysIn(gateways: GatewayStore): Promise<(subject: string) => GatewayRef> {
  const one = await gatewayIn(gateways, 'one');
  const other = await gatewayIn(gateways, 'other');
  return (subject) => (subject === 'gateway:one' ? one : other);
}

async function enroll(gateways: GatewayStore, gateway: GatewayRef) {
  const hash = randomUUID();
  await gateways.keepToken(gateway, hash, HOUR_MS);
  const identity = await gateways.enrol(hash, { id: randomUUID(), publicKey: hash });
  return identity ?? expect.fail('the token did not count');
}

/** How much every store takes. `open` gives empty ones for each test. */
export function describeQuotas(open: (quotas: Quotas) => QuotaStores): void {
  describe.each(Object.entries(KINDS))('a quota of %s', (_what, { quota, reason, tells, subjects, make }) => {
    const [subject, other] = subjects ?? ['principal:one', 'principal:other'];
    const nameOf = (whose: string) => (subjects ? whose : whose.replace('principal:', ''));

    async function filled(most = MOST) {
      const kind = await make(open({ ...DEFAULT_QUOTAS, [quota]: most }));
      for (let stored = 0; stored < most; stored++) {
        await kind.store(nameOf(subject));
      }
      return kind;
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
      const { store, remove } = await filled();
      await remove(nameOf(subject));
      await eventually(() => store(nameOf(subject)));
    });

    test('is not passed by many at the same time', async () => {
      const { store } = await make(open({ ...DEFAULT_QUOTAS, [quota]: MOST }));
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
      await configs.keepAccess(config.access, 'one');
      await configs.create(config, 'one');
      const { access } = sampleConfig('blue', { uid: config.uid });
      await configs.keepAccess(access, 'one');
      await configs.replace({ ...config, access, version: 2 });
      await configs.keepAccess(sampleConfig('green').access, 'one');
    });

    test('that failed leaves its access to the trial lease that still needs it, and no longer', async () => {
      const { configs, leases } = open(most);
      const config = sampleConfig('blue');
      const { access } = config;
      await configs.keepAccess(access, 'one');
      const trial = sampleLease(config, { purpose: 'trial' });
      await leases.record(trial);
      await configs.dropAccess(access);
      expect(await configs.getAccess(access.id, config.uid)).toEqual(access);
      await expect(configs.keepAccess(sampleConfig('green').access, 'one')).rejects.toMatchObject({
        reason: 'TOO_MANY_TRIALS_OF_PRINCIPAL',
      });

      await leases.save(revoking(trial));
      await leases.save(ended(revoking(trial)));
      await configs.keepAccess(sampleConfig('green').access, 'one');
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
          await batches.report(batch.id, { leaseId: `lease-${report}`, state: 'REVOKED', error: '' });
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
      const large = await endedBatches(batches, 1, 8);
      expect(await left(batches, [...ids, ...large])).toEqual(large);
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
