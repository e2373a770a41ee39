import type { Access } from '../domain/config.ts';
import type { Cluster, Clusters } from '../ports/cluster.ts';
import type { Ports } from '../ports/ports.ts';
import { ApiServer, type ConnectionLimits } from './api-server.ts';
import { ClusterGuard } from './cluster-guard.ts';
import { KubernetesCluster } from './kubernetes-cluster.ts';

/** Accesses whose connections are kept. Beyond it the one that was used least recently is forgotten. */
const MAX_KEPT = 256;

interface Kept {
  server: ApiServer;
  url: string;
  guard: ClusterGuard;
}

/**
 * The clusters that leases are issued on: one pool of connections for each access, made at its first use, and one guard
 * for each cluster, which is what answers at one URL.
 */
export class KubernetesClusters implements Clusters {
  readonly #limits: ConnectionLimits;
  readonly #log: Ports['log'];
  /** By the id of the access, in the order of last use. */
  readonly #kept = new Map<string, Kept>();

  /** `log` is told when calls to a cluster keep failing, and when it answers again. */
  constructor(limits: ConnectionLimits, log: Ports['log']) {
    this.#limits = limits;
    this.#log = log;
  }

  at(access: Access): Cluster {
    const kept = this.#kept.get(access.id) ?? this.#make(access);
    this.#kept.delete(access.id);
    this.#kept.set(access.id, kept);
    this.#forgetOldest();
    return new KubernetesCluster(kept.server);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#kept.values()].map(({ server }) => server.close()));
  }

  #make(access: Access): Kept {
    const { url } = access;
    const guard = this.#guardOf(url) ?? new ClusterGuard(url, this.#limits, this.#log);
    return { url, guard, server: new ApiServer(access, this.#limits, guard) };
  }

  #guardOf(url: string): ClusterGuard | undefined {
    return [...this.#kept.values()].find((kept) => kept.url === url)?.guard;
  }

  /** Its calls go on, also those that wait for their turn; its connections end by themselves once they idle. */
  #forgetOldest(): void {
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) {
      this.#kept.delete(oldest);
    }
  }
}
