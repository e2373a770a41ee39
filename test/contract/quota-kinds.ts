import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { expect } from 'vitest';
import type { GatewayRef } from '../../src/shared/domain/config.ts';
import type { Quotas } from '../../src/shared/domain/quotas.ts';
import type { BatchStore } from '../../src/shared/ports/batch-store.ts';
import type { ConfigStore } from '../../src/shared/ports/config-store.ts';
import type { GatewayLinks, GatewayStore } from '../../src/shared/ports/gateway-store.ts';
import type { LeaseStore } from '../../src/shared/ports/lease-store.ts';
import { sampleConfig } from './samples.ts';

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
export const MOST = 3;

const HOUR_MS = 3_600_000;

/** Stores one for somebody. Resolves to what removes it again. */
type Store = (whose: string) => Promise<() => Promise<unknown>>;

/** A kind of thing that is counted, and how it is stored. */
interface Kind {
  quota: keyof Quotas;
  reason: string;
  /** What an operator reads: the limit, and what to do. */
  tells: string;
  /** Whose quota it is, and whose is another. Default: principals. */
  subjects?: readonly [string, string];
  make(stores: QuotaStores): Promise<Store>;
}

export const QUOTA_KINDS: Record<string, Kind> = {
  configs: {
    quota: 'configsPerPrincipal',
    reason: 'TOO_MANY_CONFIGS_OF_PRINCIPAL',
    tells: 'LEASEHOLD_MAX_CONFIGS_PER_PRINCIPAL',
    async make({ configs }) {
      return async (whose) => {
        const config = sampleConfig(`config-${randomUUID()}`);
        await configs.keepAccess(config.access);
        await configs.create(config, whose);
        return () => configs.delete(config);
      };
    },
  },
  'trials of configs': {
    quota: 'trialsPerPrincipal',
    reason: 'TOO_MANY_TRIALS_OF_PRINCIPAL',
    tells: 'wait until the objects of failed trials are removed',
    async make({ configs }) {
      return async (whose) => {
        const { access } = sampleConfig('tried');
        await configs.keepAccess(access, { principal: whose, isOfNewConfig: true });
        return () => configs.dropAccess(access);
      };
    },
  },
  gateways: {
    quota: 'gatewaysPerPrincipal',
    reason: 'TOO_MANY_GATEWAYS_OF_PRINCIPAL',
    tells: 'LEASEHOLD_MAX_GATEWAYS_PER_PRINCIPAL',
    async make({ gateways }) {
      return async (whose) => {
        const gateway = { name: `gateway-${randomUUID()}`, uid: randomUUID(), createTime: 0 };
        await gateways.create(gateway, whose);
        return () => gateways.delete(gateway);
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
      return async (whose) => {
        // The last one that fits expires soon, and cannot be removed earlier.
        count += 1;
        await gateways.keepToken(gateway, randomUUID(), count === MOST ? 500 : HOUR_MS, whose);
        return async () => undefined;
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
      return async (whose) => {
        await enroll(gateways, all(whose));
        return () => gateways.revokeIdentities(all(whose));
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
      return async (whose) => {
        const link = await linkOf(all(whose));
        await links.announce(link);
        // One that is there is announced again and again.
        expect(await links.announce(link)).toBe(true);
        return () => links.withdraw(link);
      };
    },
  },
  'unfinished batches': {
    quota: 'batchesPerPrincipal',
    reason: 'TOO_MANY_BATCHES_OF_PRINCIPAL',
    tells: 'wait until some end',
    async make({ batches }) {
      return async (principal) => {
        const batch = batchOf(principal);
        await batches.record(batch);
        // A repeated call finds its own.
        expect(await batches.record(batch)).toEqual(batch);
        return () => batches.end(batch.id, 9);
      };
    },
  },
  'deletions of a config': {
    quota: 'deletionsPerConfig',
    reason: 'TOO_MANY_DELETIONS_OF_CONFIG',
    tells: 'wait until they end',
    subjects: ['config:one', 'config:other'],
    async make({ configs }) {
      const all = new Map<string, ReturnType<typeof sampleConfig>>();
      for (const name of ['one', 'other']) {
        const config = sampleConfig(name);
        await configs.keepAccess(config.access);
        await configs.create(config);
        all.set(`config:${name}`, config);
      }
      const mark = (whose: string, id: string, ms: number) =>
        configs.markDeletion(all.get(whose) ?? expect.fail('no such config'), id, ms);
      return async (whose) => {
        const id = randomUUID();
        await mark(whose, id, HOUR_MS);
        // Whoever deletes moves the end of its mark again and again.
        await mark(whose, id, HOUR_MS);
        return () => mark(whose, id, 0);
      };
    },
  },
};

export function batchOf(principal: string) {
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
