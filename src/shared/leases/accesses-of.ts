import { type Access, clusterOf } from '../domain/config.ts';
import type { Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';

/**
 * The credentials for the lease's own cluster, those that are most likely to work first: the config's, which are the
 * newest, unless the config is gone or now points elsewhere; then the lease's own, and those before them. A trial has
 * only its own, because its config is not stored yet.
 */
export async function accessesOf(ports: Ports, lease: Lease): Promise<[Access, ...Access[]]> {
  const { accessId, formerAccessId, configUid } = lease;
  const [own, former, config] = await Promise.all([
    ports.configs.getAccess(accessId, configUid),
    formerAccessId === undefined ? undefined : ports.configs.getAccess(formerAccessId, configUid),
    ports.configs.get(lease.config),
  ]);
  const isOfConfig = lease.purpose === 'lease' && config?.uid === configUid;
  const newest =
    config && isOfConfig && (!own || clusterOf(config.access) === clusterOf(own)) ? config.access : undefined;
  const known = [newest, own, former].filter((access) => access !== undefined);
  const [first, ...others] = new Map(known.map((access) => [access.id, access])).values();
  if (!first) {
    throw new Error(`the access ${accessId} of lease ${lease.id} is not in the store`);
  }
  return [first, ...others];
}
