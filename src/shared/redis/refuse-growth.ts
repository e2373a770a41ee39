import type { Access } from '../domain/config.ts';
import type { Ports } from '../ports/ports.ts';
import type { MemoryRoom } from './memory-room.ts';
import { TAKE_DOWN_BYTES } from './memory-use.ts';

/** A lease's indexes, its keys, its job in the queue, the memory of its request, and what taking it down may need. */
const LEASE_OVERHEAD = 3_072 + TAKE_DOWN_BYTES;

/** Keys, and the envelope of what is sealed. */
const OVERHEAD = 1_024;

/** A token's hash with its gateway. */
const SMALL = 1_024;

/** By the name of each method that makes a store grow: by about how many bytes. */
type Growth<Store> = {
  [Name in keyof Store]?: Store[Name] extends (...args: infer Args) => Promise<unknown>
    ? (...args: Args) => number
    : never;
};

/**
 * Ports whose stores refuse at the high-water mark what makes them grow; the one list of it. All else passes, on the
 * memory above the mark: taking leases down, revoking, batches, renewals, and an agent that enrolls, since leases may be
 * taken down through it. A worker's ports pass everything: it only takes down, and renews cluster tokens for that.
 */
export function refuseGrowth<P extends Pick<Ports, 'leases' | 'configs' | 'gateways'>>(
  ports: P,
  room: Pick<MemoryRoom, 'grow'>,
): P {
  return {
    ...ports,
    leases: guarded(ports.leases, room, { record: (lease) => LEASE_OVERHEAD + sizeOf(lease) }),
    configs: guarded(ports.configs, room, {
      // Sealed in base64, and beside the one of before for an hour.
      keepAccess: (access) => OVERHEAD + 2 * sizeOfAccess(access),
      create: (config) => OVERHEAD + sizeOf(config),
      replace: (config) => OVERHEAD + sizeOf(config),
    }),
    gateways: guarded(ports.gateways, room, {
      create: (gateway) => OVERHEAD + sizeOf(gateway),
      keepToken: () => SMALL,
    }),
  };
}

function guarded<Store extends object>(store: Store, room: Pick<MemoryRoom, 'grow'>, growth: Growth<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') {
        return method;
      }
      const bytesOf = growth[name as keyof Store] as ((...args: unknown[]) => number) | undefined;
      // Bound to the store, whose private fields a proxy has not.
      return bytesOf
        ? (...args: unknown[]) => room.grow(bytesOf(...args), () => method.apply(target, args) as Promise<unknown>)
        : method.bind(target);
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
