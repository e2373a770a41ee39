import type { Access } from '../domain/config.ts';
import type { Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';

/**
 * The credentials for the lease's own cluster, those that are most likely to work first: the config's, which are the
 * newest, unless the config is gone or now points elsewhere; then those under which the lease was issued. A trial has
 * only the latter, because its config is not stored yet.
 */
export async function accessesOf(ports: Ports, lease: Lease): Promise<[Access, ...Access[]]> {
  const [own, config] = await Promise.all([ports.configs.getAccess(lease.accessId), ports.configs.get(lease.config)]);
  const isOfConfig = lease.purpose === 'lease' && config?.uid === lease.configUid;
  const newest = config && isOfConfig && (!own || config.access.url === own.url) ? config.access : undefined;
  if (newest && own && newest.id !== own.id) {
    return [newest, own];
  }
  const only = newest ?? own;
  if (!only) {
    throw new Error(`the access ${lease.accessId} of lease ${lease.id} is not in the store`);
  }
  return [only];
}
