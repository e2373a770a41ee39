import type { Lease } from '../domain/lease.ts';
import { tokenSeconds } from '../domain/ttl.ts';
import type { Cluster, MintedToken } from '../ports/cluster.ts';

/** Mints a token for a lease's account, for at least `seconds`; that of a revocable static lease ends with its Secret. */
export function mint(cluster: Cluster, lease: Lease, seconds: number): Promise<MintedToken> {
  const [first] = lease.objects;
  const boundTo =
    first?.kind === 'Secret' && first.uid !== undefined ? { name: first.name, uid: first.uid } : undefined;
  return cluster.mintToken(
    { namespace: lease.namespace, name: lease.serviceAccount },
    { audiences: lease.audiences, seconds: tokenSeconds(seconds), boundTo, forLease: true },
  );
}
