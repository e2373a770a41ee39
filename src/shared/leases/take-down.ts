import type { Access } from '../domain/config.ts';
import type { Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { allDone } from './all-done.ts';

/** Removes all objects of a lease at once; returns when the cluster has confirmed that each is gone. */
export async function takeDown(ports: Ports, lease: Lease): Promise<void> {
  if (lease.objects.length === 0) {
    return;
  }
  const cluster = ports.clusters.at(await accessFor(ports, lease));
  await allDone(lease.objects.map((object) => cluster.remove(object)));
}

/**
 * The newest credentials for the lease's own cluster: the config's, unless the config is gone or now points elsewhere.
 * Then those under which the lease was issued; a trial has only those, because its config is not stored yet.
 */
async function accessFor(ports: Ports, lease: Lease): Promise<Access> {
  const [own, config] = await Promise.all([ports.configs.getAccess(lease.accessId), ports.configs.get(lease.config)]);
  const isOfConfig = lease.purpose === 'lease' && config?.uid === lease.configUid;
  if (config && isOfConfig && (!own || config.access.url === own.url)) {
    return config.access;
  }
  if (!own) {
    throw new Error(`the access ${lease.accessId} of lease ${lease.id} is not in the store`);
  }
  return own;
}
