import { ClusterRefused } from '../domain/cluster-error.ts';
import type { Access } from '../domain/config.ts';
import type { Lease, LeaseObject } from '../domain/lease.ts';
import type { Cluster } from '../ports/cluster.ts';
import type { Ports } from '../ports/ports.ts';
import { accessesOf } from './accesses-of.ts';
import { allDone } from './all-done.ts';
import { useForLease } from './cluster-use.ts';
import { NamespaceProof } from './denied-delete.ts';

/**
 * Removes all objects of a lease at once; returns when the cluster has confirmed that each is gone, by itself or with its
 * namespace. Where the newest credentials may not do it, because the config grants something else by now, older ones of the
 * lease may. Where none may, throws what the newest were told: those are what an operator can mend.
 */
export async function takeDown(ports: Ports, lease: Lease): Promise<void> {
  if (lease.objects.length === 0) {
    return;
  }
  let newest: unknown;
  for (const access of await accessesOf(ports, lease)) {
    try {
      return await removeAll(ports, lease, access);
    } catch (error) {
      if (!isDenied(error)) {
        throw error;
      }
      newest ??= error;
    }
  }
  throw newest;
}

async function removeAll(ports: Ports, lease: Lease, access: Access): Promise<void> {
  const cluster = ports.clusters.at(access, useForLease(lease, 'take-down'));
  const proof = new NamespaceProof(cluster, lease);
  await allDone(lease.objects.map((object) => remove(cluster, object, proof)));
}

async function remove(cluster: Cluster, object: LeaseObject, proof: NamespaceProof): Promise<void> {
  try {
    await cluster.remove(object);
  } catch (error) {
    if (!isDenied(error)) {
      throw error;
    }
    await proof.requireGone(object, error);
  }
}

/** The credentials are not let in, or may not: by the reason, since admission chooses its HTTP status itself. */
function isDenied(error: unknown): error is ClusterRefused {
  return (
    error instanceof ClusterRefused &&
    (error.reason === 'CLUSTER_UNAUTHENTICATED' || error.reason === 'CLUSTER_FORBIDDEN')
  );
}
