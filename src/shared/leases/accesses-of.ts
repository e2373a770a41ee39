import { type Access, clusterOf } from '../domain/config.ts';
import { isIntact } from '../domain/damaged-config.ts';
import { DataLoss } from '../domain/errors.ts';
import type { Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';

/**
 * The credentials for the lease's own cluster, those that are most likely to work first: the config's, which are the
 * newest, unless the config is gone or now points elsewhere; then the lease's own, and those before them. A trial has
 * only its own, because its config is not stored yet. Throws DataLoss where those of the lease do not open: which cluster
 * is its own cannot be told then.
 */
export async function accessesOf(ports: Ports, lease: Lease): Promise<[Access, ...Access[]]> {
  const { accessId, formerAccessId, configUid } = lease;
  const [own, former, config] = await Promise.all([
    accessOrDamage(ports, accessId, configUid),
    formerAccessId === undefined ? undefined : accessOrDamage(ports, formerAccessId, configUid),
    ports.configs.get(lease.config),
  ]);
  const ofLease = [own, former].filter(isAccess);
  const [first] = ofLease;
  if (!first && own instanceof DataLoss) {
    throw own;
  }
  const isOfConfig = lease.purpose === 'lease' && config?.uid === configUid && isIntact(config);
  const newest = isOfConfig && (!first || clusterOf(config.access) === clusterOf(first)) ? [config.access] : [];
  const [best, ...others] = new Map([...newest, ...ofLease].map((access) => [access.id, access])).values();
  if (!best) {
    throw new Error(`the access ${accessId} of lease ${lease.id} is not in the store`);
  }
  return [best, ...others];
}

async function accessOrDamage(ports: Ports, id: string, configUid: string): Promise<Access | DataLoss | undefined> {
  try {
    return await ports.configs.getAccess(id, configUid);
  } catch (error) {
    if (!(error instanceof DataLoss)) {
      throw error;
    }
    return error;
  }
}

function isAccess(found: Access | DataLoss | undefined): found is Access {
  return found !== undefined && !(found instanceof DataLoss);
}
