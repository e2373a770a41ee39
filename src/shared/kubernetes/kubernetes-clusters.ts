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
import { WhileInUse } from './while-in-use.ts';

/** Accesses of stored configs that are kept though no call uses them: 25 KiB each where no connection is open. */
const MAX_KEPT = 2_048;

/** The same of accesses on trial. They are apart, so that trials, however many, have no stored one forgotten. */
const MAX_TRIALS = 32;

interface Kept {
  server: ApiServer;
  connections: Pool;
  denials: Denials;
}

/**
 * The clusters that leases are issued on. Each access has connections, a guard and denials of its own, made at its
 * first use; those to one cluster share its turns, and what they agree on: that it is away, and, where they verify it
 * alike, its time. An access on trial takes its turns with the others, and tells them nothing. What calls under way use
 * is found again by those that follow, however many other accesses were used meanwhile: so a cluster's turns are
 * counted once.
 */
export class KubernetesClusters implements Clusters {
  readonly #limits: ConnectionLimits;
  readonly #dialer: GatewayDialer;
  readonly #egress: EgressGuard;
  readonly #log: Ports['log'];
  readonly #now: () => number;
  readonly #kept = new RecentlyUsed<Kept>(MAX_KEPT);
  readonly #trials = new RecentlyUsed<Kept>(MAX_TRIALS);
  readonly #inUse = {
    /** By access, with whether it is on trial. */
    accesses: new WhileInUse<Kept>(),
    /** By cluster, which is what answers at one URL or behind one gateway. */
    turns: new WhileInUse<FairTurns>(),
    outages: new WhileInUse<ClusterOutage>(),
    /** By cluster and how it is verified: who may tell others its time. */
    clocks: new WhileInUse<ClusterClock>(),
    /** By gateway: it calls with one account for all. */
    connections: new WhileInUse<Pool>(),
  };

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
    const kept = (isTrial ? this.#trials : this.#kept).use(access.id, () =>
      this.#inUse.accesses.of(`${access.id} ${isTrial}`, () => this.#make(access, isTrial)),
    );
    return new KubernetesCluster(kept.server, use, kept);
  }

  async close(): Promise<void> {
    const connections = new Set([...this.#inUse.accesses.values()].map((access) => access.connections));
    await Promise.all([...connections].map((each) => each.close()));
  }

  #make(access: Access, isTrial: boolean): Kept {
    const { connectTimeoutMs, callTimeoutMs, connections: atOnce } = this.#limits;
    const { turns, outages, clocks, connections: shared } = this.#inUse;
    const cluster = clusterOf(access);
    const log = isTrial ? undefined : this.#log;
    const guard = new AccessGuard(
      {
        cluster,
        configUid: access.configUid,
        turns: turns.of(cluster, () => new FairTurns(atOnce)),
        outage: isTrial ? undefined : outages.of(cluster, () => new ClusterOutage(cluster, this.#log)),
      },
      callTimeoutMs,
      log,
    );
    const newClock = () => new ClusterClock(cluster, this.#now, log);
    const clock = isTrial ? newClock() : clocks.of(endpointOf(access), newClock);
    const route = routeTo(access, connectTimeoutMs, this.#dialer, this.#egress);
    const open = () => openConnections(route, this.#limits);
    const connections = access.kind === 'gateway' ? shared.of(`${cluster} ${isTrial}`, open) : open();
    const server = new ApiServer(route, this.#limits, guard, { clock, connections });
    return { server, connections, denials: new Denials() };
  }
}

/** The cluster, and how it is verified. */
function endpointOf(access: Access): string {
  return JSON.stringify([clusterOf(access), access.kind === 'direct' ? access.tls : undefined]);
}
