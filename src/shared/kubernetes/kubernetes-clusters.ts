import type { Pool } from 'undici';
import { type Access, clusterOf } from '../domain/config.ts';
import type { Cluster, Clusters, ClusterUse } from '../ports/cluster.ts';
import type { GatewayDialer } from '../ports/gateway-dialer.ts';
import type { Ports } from '../ports/ports.ts';
import { AccessGuard } from './access-guard.ts';
import { ApiServer, type ConnectionLimits, openConnections } from './api-server.ts';
import { ClusterClock } from './cluster-clock.ts';
import { ClusterOutage } from './cluster-outage.ts';
import { Denials } from './denials.ts';
import type { EgressGuard } from './egress/egress-guard.ts';
import { FairTurns } from './fair-turns.ts';
import { KubernetesCluster } from './kubernetes-cluster.ts';
import { RecentlyUsed } from './recently-used.ts';
import { routeTo } from './route-to.ts';

/** Accesses of stored configs whose connections are kept. Those of one that is forgotten end once they idle. */
const MAX_KEPT = 256;

/** The same of accesses on trial. They are apart, so that trials, however many, have no stored one forgotten. */
const MAX_TRIALS = 32;

/** What all accesses to one cluster share, which is what answers at one URL or behind one gateway. */
interface Shared {
  turns: FairTurns;
  outage: ClusterOutage;
}

interface Kept {
  cluster: string;
  /** The cluster, and how it is verified: who may tell others its time. */
  endpoint: string;
  shared: Shared;
  clock: ClusterClock;
  server: ApiServer;
  /** Configs that call by the same gateway share its connections: it calls with one account for all. */
  connections: Pool;
  denials: Denials;
}

/**
 * The clusters that leases are issued on. Each access has connections, a guard and denials of its own, made at its first
 * use; those to one cluster share its turns, and what they agree on: that it is away, and, where they verify it alike, its
 * time. An access on trial takes its turns with the others, and tells them nothing.
 */
export class KubernetesClusters implements Clusters {
  readonly #limits: ConnectionLimits;
  readonly #dialer: GatewayDialer;
  readonly #egress: EgressGuard;
  readonly #log: Ports['log'];
  readonly #now: () => number;
  readonly #kept = new RecentlyUsed<Kept>(MAX_KEPT);
  readonly #trials = new RecentlyUsed<Kept>(MAX_TRIALS);

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

  at(access: Access, use: ClusterUse): Cluster {
    const isTrial = use.purpose === 'trial';
    const { server, denials } = (isTrial ? this.#trials : this.#kept).use(access.id, () => this.#make(access, isTrial));
    return new KubernetesCluster(server, use, { denials });
  }

  async close(): Promise<void> {
    const connections = new Set([...this.#all()].map((kept) => kept.connections));
    await Promise.all([...connections].map((each) => each.close()));
  }

  #make(access: Access, isTrial: boolean): Kept {
    const { connectTimeoutMs, callTimeoutMs } = this.#limits;
    const cluster = clusterOf(access);
    const endpoint = JSON.stringify([cluster, access.kind === 'direct' ? access.tls : undefined]);
    const shared = this.#sharedOf(cluster);
    const log = isTrial ? undefined : this.#log;
    const outage = isTrial ? undefined : shared.outage;
    const clock =
      (isTrial ? undefined : this.#like(endpoint, false)?.clock) ?? new ClusterClock(cluster, this.#now, log);
    const guard = new AccessGuard(
      { cluster, configUid: access.configUid, turns: shared.turns, outage },
      callTimeoutMs,
      log,
    );
    const route = routeTo(access, connectTimeoutMs, this.#dialer, this.#egress);
    const connections =
      (access.kind === 'gateway' ? this.#like(endpoint, isTrial)?.connections : undefined) ??
      openConnections(route, this.#limits);
    const server = new ApiServer(route, this.#limits, guard, { clock, connections });
    return { cluster, endpoint, shared, clock, server, connections, denials: new Denials() };
  }

  #sharedOf(cluster: string): Shared {
    const known = [...this.#all()].find((kept) => kept.cluster === cluster);
    return (
      known?.shared ?? {
        turns: new FairTurns(this.#limits.connections),
        outage: new ClusterOutage(cluster, this.#log),
      }
    );
  }

  /** One to the same endpoint that is, or is not, on trial as well. */
  #like(endpoint: string, isTrial: boolean): Kept | undefined {
    return [...(isTrial ? this.#trials : this.#kept).values()].find((kept) => kept.endpoint === endpoint);
  }

  *#all(): Iterable<Kept> {
    yield* this.#kept.values();
    yield* this.#trials.values();
  }
}
