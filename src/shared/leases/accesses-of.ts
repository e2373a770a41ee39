import { type Access, clusterOf } from '../domain/config.ts';
import { isIntact } from '../domain/damaged-config.ts';
import { DataLoss } from '../domain/errors.ts';
import type { Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';

/**
 * The credentials for the lease's own cluster, those that are most likely to work first: the config's, which are the
 * newest, unless the config is gone or now points elsewhere; then the lease's own, and those before them. A trial has
 * only its own, because its config is not stored yet. Throws DataLoss where those of the lease are lost or do not open:
 * which cluster is its own cannot be told then.
 */
export async function accessesOf(ports: Ports, lease: Lease): Promise<[Access, ...Access[]]> {
  const { accessId, formerAccessId, configUid } = lease;
  const [own, former, config] = await Promise.all([
    accessOrDamage(ports, accessId, configUid),
    formerAccessId === undefined ? undefined : accessOrDamage(ports, formerAccessId, configUid),
    ports.configs.get(lease.config),
  ]);
  const [first, ...older] = [own, former].filter(isAccess);
  if (!first) {
    throw (
      own ?? new DataLoss('STORED_SECRET_DAMAGED', `access ${accessId} of lease ${lease.id}: it is not in the store`)
    );
  }
  const isOfConfig = lease.purpose === 'lease' && config?.uid === configUid && isIntact(config);
  return isOfConfig && clusterOf(config.access) === clusterOf(first)
    ? [config.access, ...[first, ...older].filter(({ id }) => id !== config.access.id)]
    : [first, ...older];
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
