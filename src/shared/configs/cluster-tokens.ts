import { ClusterNotCalled } from '../domain/cluster-error.ts';
import { type Config, clusterOf, type DirectAccess } from '../domain/config.ts';
import { isIntact, type StoredConfig } from '../domain/damaged-config.ts';
import { Aborted, LeaseholdError, Unavailable } from '../domain/errors.ts';
import { allConfigs } from '../leases/all-configs.ts';
import { ShortTurns, WAITED } from '../leases/short-turns.ts';
import type { Ports } from '../ports/ports.ts';
import { countTokenRenewal } from '../telemetry/metrics.ts';
import { inSpan } from '../telemetry/span.ts';
import { ExpiryWarnings } from './expiry-warnings.ts';
import { renewClusterToken } from './renew-cluster-token.ts';
import { readClaims } from './token-claims.ts';
import { wantedRenewal } from './token-renewal.ts';

type DirectConfig = Config & { access: DirectAccess };

/**
 * Sees to the cluster tokens of all configs: renews those that are to be renewed and due, and warns of those that expire. One
 * that fails is tried again by the next run, and does not keep the others from their turn.
 */
export class ClusterTokens {
  readonly #ports: Ports;
  readonly #warnings: ExpiryWarnings;
  readonly #turns: ShortTurns;

  constructor(ports: Ports) {
    this.#ports = ports;
    this.#warnings = new ExpiryWarnings(ports.log);
    this.#turns = new ShortTurns(ports.log, 'renewing the cluster token');
  }

  /** Goes through all configs once. Throws Unavailable. */
  async run(): Promise<void> {
    await this.#turns.run(this.#inTurn(), (config) => this.#see(config));
  }

  /**
   * Clusters take turns, and what is due first on each is the first of it; what was slow in the last run comes last.
   */
  async *#inTurn(): AsyncGenerator<DirectConfig> {
    const configs: DirectConfig[] = [];
    for await (const config of allConfigs(this.#ports)) {
      if (isDirect(config)) {
        configs.push(config);
      }
    }
    const byCluster = Map.groupBy(
      configs.toSorted((one, other) => dueTimeOf(one) - dueTimeOf(other)),
      ({ access }) => clusterOf(access),
    );
    const ranked = [...byCluster.values()].flatMap((ofOne) =>
      ofOne.map((config, index) => ({ config, rank: this.#turns.wasSlow(config) ? index + configs.length : index })),
    );
    for (const { config } of ranked.sort((one, other) => one.rank - other.rank)) {
      yield config;
    }
  }

  async #see(config: DirectConfig): Promise<typeof WAITED | undefined> {
    const renewal = wantedRenewal(config.access);
    const now = await this.#nowAt(config.access);
    const isDue = renewal !== undefined && renewal.dueTime <= now;
    const outcome = isDue
      ? await this.#renew(config, () => renewClusterToken(this.#ports, config, renewal))
      : 'not due';
    if (outcome !== 'renewed') {
      this.#warnings.look(config, now);
    }
    return outcome === WAITED ? WAITED : undefined;
  }

  /** The time by which the API server judges a token; ours where it has no end. */
  async #nowAt(access: DirectAccess): Promise<number> {
    const ends = readClaims(access.token)?.expireTime !== undefined;
    const cluster = this.#ports.clusters.at(access, { purpose: 'question', principal: undefined });
    const aheadMs = ends ? await cluster.clockAheadMs() : 0;
    return this.#ports.clock.now() + aheadMs;
  }

  async #renew(
    { name, access }: DirectConfig,
    renew: () => Promise<void>,
  ): Promise<'renewed' | 'failed' | typeof WAITED> {
    try {
      await inSpan('config.renew-token', { attributes: { 'leasehold.config': name } }, renew);
    } catch (error) {
      if (error instanceof Aborted) {
        // Somebody else changed the config, to another token perhaps. The next run sees what it is now.
        return 'renewed';
      }
      if (!(error instanceof LeaseholdError) || error instanceof Unavailable) {
        throw error;
      }
      countTokenRenewal(name, 'failed');
      if (!(await this.#ports.renewalNotes.note(access.id, error.message))) {
        this.#ports.log.warn({ config: name, err: error }, 'cluster token not renewed; it is tried again');
      }
      return error instanceof ClusterNotCalled && error.isPassing ? WAITED : 'failed';
    }
    countTokenRenewal(name, 'renewed');
    return 'renewed';
  }
}

/** One that is not to be renewed may expire, and is only warned of. */
function dueTimeOf({ access }: DirectConfig): number {
  return wantedRenewal(access)?.dueTime ?? Number.MAX_SAFE_INTEGER;
}

function isDirect(config: StoredConfig): config is DirectConfig {
  return isIntact(config) && config.access.kind === 'direct';
}
