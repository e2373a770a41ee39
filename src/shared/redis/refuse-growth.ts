import type { Access } from '../domain/config.ts';
import type { Ports } from '../ports/ports.ts';
import type { GrowthUse, MemoryRoom } from './memory-room.ts';
import { TAKE_DOWN_BYTES } from './memory-use.ts';

/** A lease's indexes, its keys, its job in the queue, the memory of its request, and what taking it down may need. */
const LEASE_OVERHEAD = 3_072 + TAKE_DOWN_BYTES;

/** Keys, and the envelope of what is sealed. */
const OVERHEAD = 1_024;

/** A token's hash with its gateway. */
const SMALL = 1_024;

/** By about how many bytes a store grows, and what for; and whether it did, by what the method returned. Left out: it did. */
type Growth = readonly [bytes: number, use: GrowthUse, hasWritten?: (result: unknown) => boolean];

/** By the name of each method that makes a store grow. */
type Growths<Store> = {
  [Name in keyof Store]?: Store[Name] extends (...args: infer Args) => Promise<unknown>
    ? (...args: Args) => Growth
    : never;
};

/**
 * Ports whose stores refuse at the high-water mark what makes them grow; the one list of it. All else passes, on the
 * memory above the mark: taking leases down, revoking, batches, renewals, and an agent that enrolls, since leases may
 * be taken down through it. Repairs go on as long as there is room for them (`GrowthUse`). A worker's ports pass
 * everything: it only takes down, and renews cluster tokens for that.
 */
export function refuseGrowth<P extends Pick<Ports, 'leases' | 'configs' | 'gateways'>>(
  ports: P,
  room: Pick<MemoryRoom, 'grow'>,
): P {
  return {
    ...ports,
    leases: guarded(ports.leases, room, {
      // It returns an earlier lease of the same request instead.
      record: (lease) => [LEASE_OVERHEAD + sizeOf(lease), 'new', (earlier) => earlier === undefined],
    }),
    configs: guarded(ports.configs, room, {
      // Sealed in base64, and beside the one of before for an hour.
      keepAccess: (access, trial) => [OVERHEAD + 2 * sizeOfAccess(access), trial?.isOfNewConfig ? 'new' : 'repair'],
      create: (config) => [OVERHEAD + sizeOf(config), 'new'],
      replace: (config) => [OVERHEAD + sizeOf(config), 'repair'],
    }),
    gateways: guarded(ports.gateways, room, {
      create: (gateway) => [OVERHEAD + sizeOf(gateway), 'new'],
      keepToken: () => [SMALL, 'repair'],
    }),
  };
}

function guarded<Store extends object>(store: Store, room: Pick<MemoryRoom, 'grow'>, growths: Growths<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') {
        return method;
      }
      const growthOf = growths[name as keyof Store] as ((...args: unknown[]) => Growth) | undefined;
      if (!growthOf) {
        // Bound to the store: a proxy does not have its private fields.
        return method.bind(target);
      }
      return (...args: unknown[]) => {
        const [bytes, use, hasWritten] = growthOf(...args);
        return room.grow(bytes, () => method.apply(target, args) as Promise<unknown>, use, hasWritten);
      };
    },
  });
}

/** A token is left out of JSON. */
function sizeOfAccess(access: Access): number {
  return sizeOf(access) + (access.kind === 'direct' ? access.token.reveal().length : 0);
}

function sizeOf(record: object): number {
  return Buffer.byteLength(JSON.stringify(record));
}
