import type { LeaseState } from '../domain/lease.ts';

/**
 * Names of our keys. The hash tag in braces puts all keys of an installation into one slot of a Redis Cluster, so that
 * a script may change several of them at once.
 */
export class Keys {
  readonly #prefix: string;

  constructor(installation: string) {
    this.#prefix = `{leasehold:${installation}}`;
  }

  /** All of our keys, as an ACL rule of Redis names them. */
  get pattern(): string {
    return `${this.#prefix}:*`;
  }

  /** BullMQ's own keys begin with it. */
  get queuePrefix(): string {
    return `${this.#prefix}:queue`;
  }

  /**
   * Hash: data (sealed), uses (how many configs and live leases name it), countedIn (key of the set of trials, while it
   * is kept for one), grace (for how many ms it stays when nothing names it; left out: as long as a trial may take).
   */
  access(id: string): string {
    return `${this.#prefix}:access:${id}`;
  }

  /** Set of the ids of accesses that are sealed under a key-encryption key; some may be gone by now. */
  accessesUnder(keyId: string): string {
    return `${this.#prefix}:accesses-under:${keyId}`;
  }

  /** Set of the ids of accesses that are kept for trials of a principal; some may be gone by now. */
  trialsBy(principal: string): string {
    return `${this.#prefix}:trials-by:${principal}`;
  }

  /** Hash by the id of each key-encryption key that was ever in use: something that only it opens. */
  get keyChecks(): string {
    return `${this.#prefix}:key-checks`;
  }

  /** String: why the token of that access was not renewed. */
  renewalError(accessId: string): string {
    return `${this.#prefix}:renewal-error:${accessId}`;
  }

  /** String, of no meaning: written to see whether Redis takes writes. */
  get writeProbe(): string {
    return `${this.#prefix}:write-probe`;
  }

  /**
   * Hash: uid, version, data; countedIn (key of the set that counts it); deletions while calls delete it (JSON: by the
   * id of each, until when its mark counts).
   */
  config(name: string): string {
    return `${this.#prefix}:config:${name}`;
  }

  /** Sorted set of all names, in lexical order. */
  get configNames(): string {
    return `${this.#prefix}:configs`;
  }

  /** Set of the names of configs that a principal created. */
  configsBy(principal: string): string {
    return `${this.#prefix}:configs-by:${principal}`;
  }

  /** Hash: data; while it lives also version, and what the scripts need of it: indexes, access, former, request. */
  lease(id: string): string {
    return `${this.#prefix}:lease:${id}`;
  }

  /** Sorted set of ids, in lexical order, which is that of their times of issue. */
  leasesIn(state: LeaseState): string {
    return `${this.#prefix}:leases:${state}`;
  }

  /** The same, of one config. */
  leasesOf(config: string, state: LeaseState): string {
    return `${this.#prefix}:leases-of:${config}:${state}`;
  }

  /** The same, of one principal. */
  leasesBy(principal: string, state: LeaseState): string {
    return `${this.#prefix}:leases-by:${principal}:${state}`;
  }

  /** The same, of one principal on one config. */
  leasesOfBy(config: string, principal: string, state: LeaseState): string {
    return `${this.#prefix}:leases-of-by:${config}:${principal}:${state}`;
  }

  /** Sorted set of the ids of live trial leases of one principal. */
  liveTrialsBy(principal: string): string {
    return `${this.#prefix}:live-trials-by:${principal}`;
  }

  /** String: until when, in µs since the epoch, a principal's issues fill the rate that it is allowed. */
  issueRate(principal: string): string {
    return `${this.#prefix}:issue-rate:${principal}`;
  }

  /** String: the same, of what a principal asks clusters. */
  questionRate(principal: string): string {
    return `${this.#prefix}:question-rate:${principal}`;
  }

  /** String: the same, of a principal's trials of configs. */
  trialRate(principal: string): string {
    return `${this.#prefix}:trial-rate:${principal}`;
  }

  /** Sorted set of live leases by the time at which they want attention. */
  get due(): string {
    return `${this.#prefix}:due`;
  }

  /**
   * Sorted set of a principal's ended leases by their ends: of too many the oldest are forgotten (forget-lease.lua).
   */
  endedBy(principal: string): string {
    return `${this.#prefix}:ended-by:${principal}`;
  }

  /** Sorted set of ended leases by their ends: the oldest are forgotten first (forget-lease.lua). */
  get ended(): string {
    return `${this.#prefix}:ended`;
  }

  /** Hash: fingerprint, leaseId. Goes with the record of that lease, or 24 hours after its end. */
  request(principal: string, requestId: string): string {
    return `${this.#prefix}:request:${requestId}:${principal}`;
  }

  /**
   * Hash: uid, generation (of the identities that count), data, lastSeen; countedIn (key of the set that counts it).
   */
  gateway(name: string): string {
    return `${this.#prefix}:gateway:${name}`;
  }

  /** Sorted set of all names, in lexical order. */
  get gatewayNames(): string {
    return `${this.#prefix}:gateways`;
  }

  /** Set of the names of gateways that a principal created. */
  gatewaysBy(principal: string): string {
    return `${this.#prefix}:gateways-by:${principal}`;
  }

  /** Sorted set of the hashes of a principal's enrollment tokens by the times at which they expire. */
  enrollmentTokensBy(principal: string): string {
    return `${this.#prefix}:enrollment-tokens-by:${principal}`;
  }

  /** Hash: gateway (its name), uid, generation; publicKey and identityId once it was used. */
  enrolmentToken(hash: string): string {
    return `${this.#prefix}:enrolment-token:${hash}`;
  }

  /** Hash: gateway (its name), uid, generation, publicKey. */
  gatewayIdentity(id: string): string {
    return `${this.#prefix}:gateway-identity:${id}`;
  }

  /** Set of the ids of a gateway's identities. */
  gatewayIdentities(uid: string): string {
    return `${this.#prefix}:gateway-identities:${uid}`;
  }

  /** Set of the uids of deleted gateways whose identities are still to go. */
  get deletedGateways(): string {
    return `${this.#prefix}:gateways-deleted`;
  }

  /** Hash by the id of the link: when it was last announced, a blank, and the link. */
  gatewayLinks(uid: string): string {
    return `${this.#prefix}:gateway-links:${uid}`;
  }

  /** String: a batch. */
  batch(id: string): string {
    return `${this.#prefix}:batch:${id}`;
  }

  /** Stream: what became of each lease of a batch. */
  batchReports(id: string): string {
    return `${this.#prefix}:batch-reports:${id}`;
  }

  /** Set of the ids of batches that have not ended. */
  get unfinishedBatches(): string {
    return `${this.#prefix}:batches-unfinished`;
  }

  /** The same, of one principal. */
  unfinishedBatchesBy(principal: string): string {
    return `${this.#prefix}:batches-unfinished-by:${principal}`;
  }

  /** Sorted set of the ids of a principal's batches that have ended, by their ends. */
  endedBatchesBy(principal: string): string {
    return `${this.#prefix}:batches-ended-by:${principal}`;
  }
}
