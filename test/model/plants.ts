import { ClusterNotDone } from '../../src/shared/domain/cluster-error.ts';
import { clusterOf } from '../../src/shared/domain/config.ts';
import type { Lease } from '../../src/shared/domain/lease.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { CLUSTERS } from './actions.ts';
import { asStraight } from './configs.ts';
import { POLICY } from './policy.ts';
import { type Planted, USE_CASES } from './use-cases.ts';
import type { Invariant } from './violation.ts';

/** A bug, and the invariants that it breaks: the model must say one of these. */
export interface Plant extends Planted {
  breaks: readonly Invariant[];
}

/** `target`, of which some methods are others. */
function altered<T extends object>(target: T, change: (original: T) => Partial<T>): T {
  const changes = change(target);
  return new Proxy(target, {
    get(_, name) {
      const own = (changes as Record<PropertyKey, unknown>)[name] ?? target[name as keyof T];
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}

/** Alters some of the ports. */
function altering<K extends keyof Ports>(port: K, change: (original: Ports[K]) => Partial<Ports[K]>) {
  return (ports: Ports): Ports => ({ ...ports, [port]: altered(ports[port] as object, change as never) });
}

type Cluster = ReturnType<Ports['clusters']['at']>;

function alteringClusters(change: (original: Cluster) => Partial<Cluster>) {
  return altering('clusters', (clusters) => ({ at: (access, use) => altered(clusters.at(access, use), change) }));
}

async function unless(isPassedOver: (error: unknown) => boolean, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isPassedOver(error)) {
      throw error;
    }
  }
}

const later = (ports: Ports): Ports => ({
  ...ports,
  clock: { ...ports.clock, now: () => ports.clock.now() + 86_400_000 },
});

/** Bugs as products of this kind have had them, and some of our own making. */
export const PLANTS: Record<string, Plant> = {
  'makes objects before it records them': {
    breaks: [1],
    around: altering('leases', (leases) => {
      let recording = async () => {};
      return {
        async record(lease, request) {
          recording = async () => void (await leases.record(lease, request));
          return undefined;
        },
        async save(lease) {
          await recording();
          return leases.save(lease);
        },
      };
    }),
  },
  'sets no alarm': { breaks: [2], around: altering('alarm', () => ({ set: async () => {} })) },
  'hands the token out though the last write failed': {
    breaks: [2],
    around: altering('leases', (leases) => ({
      save: (lease: Lease) => (lease.state === 'ACTIVE' ? leases.save(lease).catch(() => true) : leases.save(lease)),
    })),
  },
  'deletes whatever carries the name': {
    breaks: [3],
    around: alteringClusters((cluster) => ({ remove: ({ uid: _, ...object }) => cluster.remove(object) })),
  },
  'takes objects of another installation for its own': {
    breaks: [3],
    useCases: { readBack: (ports) => USE_CASES.readBack({ ...ports, installation: 'another' }) },
  },
  'ends a lease though its objects were not removed': {
    breaks: [4],
    around: alteringClusters((cluster) => ({ remove: (object) => unless(() => true, cluster.remove(object)) })),
  },
  'takes a delete that was accepted for one that is done': {
    breaks: [4],
    around: alteringClusters((cluster) => ({
      remove: (object) => unless((error) => error instanceof ClusterNotDone, cluster.remove(object)),
    })),
  },
  'leaves out of the record what may still appear': {
    breaks: [4, 7],
    around: altering('leases', (leases) => ({
      save: (lease: Lease) =>
        leases.save(lease.endAs === 'FAILED' && lease.state === 'REVOKING' ? { ...lease, objects: [] } : lease),
    })),
  },
  'leaves out of the record what was made, once a take-down failed': {
    breaks: [4],
    around: altering('leases', (leases) => ({
      save: (lease: Lease) =>
        leases.save(lease.state === 'REVOKING' && lease.tries ? { ...lease, objects: [] } : lease),
    })),
  },
  'takes every denied delete for a namespace that is gone': {
    breaks: [4],
    around: alteringClusters(() => ({ readNamespace: async () => undefined })),
  },
  'revokes on another cluster': {
    breaks: [4],
    around: altering('configs', (configs) => ({
      async getAccess(id, configUid) {
        const access = await configs.getAccess(id, configUid);
        return access && { ...asStraight(access), url: CLUSTERS.find((url) => url !== clusterOf(access)) ?? 'none' };
      },
    })),
  },
  'does not wait for what may still appear': {
    breaks: [4, 7],
    around: (ports) => ({ ...ports, policy: { ...ports.policy, settleMs: 0 } }),
  },
  'gives up after three tries': {
    breaks: [5],
    useCases: {
      expire: async (ports, lease) =>
        (lease.tries ?? 0) < 3 ? USE_CASES.expire(ports, lease) : ports.clock.now() + POLICY.retry.maxMs,
    },
  },
  'shows nobody that a lease is stalled': {
    breaks: [5],
    around: (ports) => ({
      ...ports,
      policy: { ...ports.policy, retry: { ...ports.policy.retry, stalledAfter: Number.POSITIVE_INFINITY } },
    }),
  },
  'does not sweep': { breaks: [6], useCases: { sweep: async () => 0 } },
  'leaves the marks out': {
    breaks: [7],
    around: alteringClusters((cluster) => ({
      create: (object, account) => cluster.create(object, account, { labels: {}, annotations: {} }),
    })),
  },
  'reads nothing back': { breaks: [7], useCases: { readBack: async () => 0 } },
  'cuts off whom a restored store does not know': {
    breaks: [4],
    useCases: { readBack: (ports) => USE_CASES.readBack(later(ports)) },
  },
  'writes the token into the record': {
    breaks: [8],
    around(ports) {
      let token = new Secret('none');
      const noting = alteringClusters((cluster) => ({
        async mintToken(account, wish) {
          const minted = await cluster.mintToken(account, wish);
          token = minted.token;
          return minted;
        },
      }));
      const telling = altering('leases', (leases) => ({
        save: (lease: Lease) => leases.save({ ...lease, lastError: token.reveal() }),
      }));
      return telling(noting(ports));
    },
  },
  'logs the token of a cluster': {
    breaks: [8],
    around: (ports) =>
      altering('configs', (configs) => ({
        keepAccess(access) {
          ports.log.info({ token: asStraight(access).token.reveal() }, 'access kept');
          return configs.keepAccess(access);
        },
      }))(ports),
  },
  'keeps no log': { breaks: [9], around: altering('log', () => ({ info: () => {} })) },
  'forgets the trace in which a lease was issued': {
    breaks: [9],
    around: altering('leases', (leases) => ({
      record: (lease, request) => leases.record({ ...lease, traceparent: undefined }, request),
    })),
  },
  'issues a second lease for a repeated request': {
    breaks: [0],
    around: altering('leases', (leases) => ({ record: (lease) => leases.record(lease) })),
  },
};
