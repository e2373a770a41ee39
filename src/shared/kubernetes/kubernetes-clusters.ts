import type { Access } from '../domain/config.ts';
import type { Cluster, Clusters } from '../ports/cluster.ts';
import { ApiServer, type ConnectionLimits } from './api-server.ts';
import { KubernetesCluster } from './kubernetes-cluster.ts';

/** Accesses whose connections are kept. Beyond it the one that was used least recently is closed. */
const MAX_KEPT = 256;

/** The clusters that leases are issued on: one pool of connections for each access, made at its first use. */
export class KubernetesClusters implements Clusters {
  readonly #limits: ConnectionLimits;
  /** In the order of last use. */
  readonly #servers = new Map<string, ApiServer>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  at(access: Access): Cluster {
    const server = this.#servers.get(access.id) ?? new ApiServer(access, this.#limits);
    this.#servers.delete(access.id);
    this.#servers.set(access.id, server);
    this.#closeOldest();
    return new KubernetesCluster(server);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
  }

  #closeOldest(): void {
    const [oldest] = this.#servers;
    if (this.#servers.size > MAX_KEPT && oldest) {
      const [id, server] = oldest;
      this.#servers.delete(id);
      void server.close();
    }
  }
}
