import { type Access, clusterOf } from '../../src/shared/domain/config.ts';
import type { Clusters } from '../../src/shared/ports/cluster.ts';
import { MemoryApiServer } from './memory-api-server.ts';
import { MemoryCluster } from './memory-cluster.ts';

/** Clusters in memory, each at its URL, or behind its gateway, from the first use on. */
export class MemoryClusters implements Clusters {
  readonly servers = new Map<string, MemoryApiServer>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  server(cluster: string): MemoryApiServer {
    const server = this.servers.get(cluster) ?? new MemoryApiServer();
    this.servers.set(cluster, server);
    return server;
  }

  at(access: Access): MemoryCluster {
    return new MemoryCluster(this.server(clusterOf(access)), access, this.#now);
  }
}
