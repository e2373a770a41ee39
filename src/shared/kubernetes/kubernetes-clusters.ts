import { type Access, clusterOf } from '../domain/config.ts';
import type { Cluster, Clusters } from '../ports/cluster.ts';
import type { GatewayDialer } from '../ports/gateway-dialer.ts';
import type { Ports } from '../ports/ports.ts';
import { ApiServer, type ConnectionLimits } from './api-server.ts';
import { ClusterClock } from './cluster-clock.ts';
import { ClusterGuard } from './cluster-guard.ts';
import { Denials } from './denials.ts';
import type { EgressGuard } from './egress/egress-guard.ts';
import { KubernetesCluster } from './kubernetes-cluster.ts';
import { routeTo } from './route-to.ts';

/** Accesses whose connections are kept. Beyond it the one that was used least recently is forgotten. */
const MAX_KEPT = 256;

interface Kept {
  server: ApiServer;
  cluster: string;
  guard: ClusterGuard;
  clock: ClusterClock;
  denials: Denials;
}

/**
 * The clusters that leases are issued on: one pool of connections for each access, made at its first use, one guard and one
 * knowledge of its clock for each cluster, which is what answers at one URL or behind one gateway.
 */
export class KubernetesClusters implements Clusters {
  readonly #limits: ConnectionLimits;
  readonly #dialer: GatewayDialer;
  readonly #egress: EgressGuard;
  readonly #log: Ports['log'];
  readonly #now: () => number;
  /** In the order of last use. */
  readonly #kept = new Map<string, Kept>();

  /**
   * `log` is told when calls to a cluster keep failing, and when it answers again; and when its clock differs from `now`,
   * by which leases end.
   */
  constructor(
    limits: ConnectionLimits,
    dialer: GatewayDialer,
    egress: EgressGuard,
    log: Ports['log'],
    now: () => number = Date.now,
  ) {
    this.#limits = limits;
    this.#dialer = dialer;
    this.#egress = egress;
    this.#log = log;
    this.#now = now;
  }

  at(access: Access): Cluster {
    const key = connectionsOf(access);
    const kept = this.#kept.get(key) ?? this.#make(access);
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    this.#forgetOldest();
    return new KubernetesCluster(kept.server, { denials: kept.denials });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#kept.values()].map(({ server }) => server.close()));
  }

  #make(access: Access): Kept {
    const cluster = clusterOf(access);
    const known = [...this.#kept.values()].find((kept) => kept.cluster === cluster);
    const guard = known?.guard ?? new ClusterGuard(cluster, this.#limits, this.#log);
    const clock = known?.clock ?? new ClusterClock(cluster, this.#now, this.#log);
    const route = routeTo(access, this.#limits.connectTimeoutMs, this.#dialer, this.#egress);
    const server = new ApiServer(route, this.#limits, guard, clock);
    return { cluster, guard, clock, server, denials: new Denials() };
  }

  /** Its calls go on, also those that wait for their turn; its connections end by themselves once they idle. */
  #forgetOldest(): void {
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) {
      this.#kept.delete(oldest);
    }
  }
}

/** Configs that call by the same gateway share its connections: it calls with one account for all. */
function connectionsOf(access: Access): string {
  return access.kind === 'gateway' ? clusterOf(access) : access.id;
}
