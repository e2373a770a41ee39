import pLimit from 'p-limit';
import type { Config, DirectAccess } from '../domain/config.ts';
import { isIntact, type StoredConfig } from '../domain/damaged-config.ts';
import { Aborted, LeaseholdError, Unavailable } from '../domain/errors.ts';
import { allConfigs } from '../leases/all-configs.ts';
import { allDone } from '../leases/all-done.ts';
import type { Ports } from '../ports/ports.ts';
import { countTokenRenewal } from '../telemetry/metrics.ts';
import { inSpan } from '../telemetry/span.ts';
import { ExpiryWarnings } from './expiry-warnings.ts';
import { renewClusterToken } from './renew-cluster-token.ts';
import { readClaims } from './token-claims.ts';
import { wantedRenewal } from './token-renewal.ts';

/** Configs that are seen to at the same time. */
const AT_ONCE = 4;

type DirectConfig = Config & { access: DirectAccess };

/**
 * Sees to the cluster tokens of all configs: renews those that are to be renewed and due, and warns of those that expire. One
 * that fails is tried again by the next run, and does not keep the others from their turn.
 */
export class ClusterTokens {
  readonly #ports: Ports;
  readonly #warnings: ExpiryWarnings;

  constructor(ports: Ports) {
    this.#ports = ports;
    this.#warnings = new ExpiryWarnings(ports.log);
  }

  /** Goes through all configs once. Throws Unavailable. */
  async run(): Promise<void> {
    const limit = pLimit(AT_ONCE);
    const seen: Promise<void>[] = [];
    for await (const config of allConfigs(this.#ports)) {
      if (isDirect(config)) {
        seen.push(limit(() => this.#see(config)));
      }
    }
    await allDone(seen);
  }

  async #see(config: DirectConfig): Promise<void> {
    const renewal = wantedRenewal(config.access);
    const now = await this.#nowAt(config.access);
    const isDue = renewal !== undefined && renewal.dueTime <= now;
    const isRenewed = isDue && (await this.#renew(config, () => renewClusterToken(this.#ports, config, renewal)));
    if (!isRenewed) {
      this.#warnings.look(config, now);
    }
  }

  /** The time by which the API server judges a token; ours where it has no end. */
  async #nowAt(access: DirectAccess): Promise<number> {
    const ends = readClaims(access.token)?.expireTime !== undefined;
    const cluster = this.#ports.clusters.at(access, { purpose: 'question', principal: undefined });
    const aheadMs = ends ? await cluster.clockAheadMs() : 0;
    return this.#ports.clock.now() + aheadMs;
  }

  /** Returns whether there is a newer token now. */
  async #renew({ name, access }: DirectConfig, renew: () => Promise<void>): Promise<boolean> {
    try {
      await inSpan('config.renew-token', { attributes: { 'leasehold.config': name } }, renew);
    } catch (error) {
      if (error instanceof Aborted) {
        // Somebody else changed the config, to another token perhaps. The next run sees what it is now.
        return true;
      }
      if (!(error instanceof LeaseholdError) || error instanceof Unavailable) {
        throw error;
      }
      countTokenRenewal(name, 'failed');
      if (!(await this.#ports.renewalNotes.note(access.id, error.message))) {
        this.#ports.log.warn({ config: name, err: error }, 'cluster token not renewed; it is tried again');
      }
      return false;
    }
    countTokenRenewal(name, 'renewed');
    return true;
  }
}

function isDirect(config: StoredConfig): config is DirectConfig {
  return isIntact(config) && config.access.kind === 'direct';
}
