import { ClusterRefused } from '../domain/cluster-error.ts';
import type { Access } from '../domain/config.ts';
import type { Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { accessesOf } from './accesses-of.ts';
import { allDone } from './all-done.ts';

/**
 * Removes all objects of a lease at once; returns when the cluster has confirmed that each is gone. Where the newest
 * credentials may not do it, because the config grants something else by now, older ones of the lease may.
 */
export async function takeDown(ports: Ports, lease: Lease): Promise<void> {
  if (lease.objects.length === 0) {
    return;
  }
  const accesses = await accessesOf(ports, lease);
  for (const [index, access] of accesses.entries()) {
    try {
      return await removeAll(ports, lease, access);
    } catch (error) {
      if (index === accesses.length - 1 || !isDenied(error)) {
        throw error;
      }
    }
  }
}

async function removeAll(ports: Ports, lease: Lease, access: Access): Promise<void> {
  const cluster = ports.clusters.at(access);
  await allDone(lease.objects.map((object) => cluster.remove(object)));
}

function isDenied(error: unknown): boolean {
  return error instanceof ClusterRefused && (error.refusal.status === 401 || error.refusal.status === 403);
}
