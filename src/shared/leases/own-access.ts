import type { Access } from '../domain/config.ts';
import { DataLoss } from '../domain/errors.ts';
import type { Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';

/** The access that a lease names; undefined where it is gone or does not open. */
export async function ownAccess(ports: Ports, { accessId, configUid }: Lease): Promise<Access | undefined> {
  try {
    return await ports.configs.getAccess(accessId, configUid);
  } catch (error) {
    if (!(error instanceof DataLoss)) {
      throw error;
    }
    return undefined;
  }
}
