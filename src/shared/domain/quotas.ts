import { ResourceExhausted } from './errors.ts';
import type { ReasonOf } from './reasons.ts';

/** How much of each kind is stored for one principal, gateway or config. Leases have limits of their own. */
export interface Quotas {
  configsPerPrincipal: number;
  gatewaysPerPrincipal: number;
  /** Accesses that are kept for trials: of calls under way, and of failed ones whose objects are not yet removed. */
  trialsPerPrincipal: number;
  /** Enrollment tokens that have not expired, those that were used among them. */
  enrollmentTokensPerPrincipal: number;
  identitiesPerGateway: number;
  streamsPerGateway: number;
  /** Batches that have not ended. */
  batchesPerPrincipal: number;
  /** Batches that have ended; the oldest go first. */
  endedBatchesPerPrincipal: number;
  /** Reports of leases in all unfinished batches together, and in all ended ones; the oldest go first. */
  reportsPerPrincipal: number;
  /** Calls that delete a config at the same time. */
  deletionsPerConfig: number;
}

/** Without those that are settings. */
export const FIXED_QUOTAS: Omit<Quotas, 'configsPerPrincipal' | 'gatewaysPerPrincipal'> = {
  trialsPerPrincipal: 256,
  enrollmentTokensPerPrincipal: 10_000,
  identitiesPerGateway: 5_000,
  streamsPerGateway: 5_000,
  batchesPerPrincipal: 100,
  endedBatchesPerPrincipal: 100,
  reportsPerPrincipal: 10_000,
  deletionsPerConfig: 100,
};

export const DEFAULT_QUOTAS: Quotas = { ...FIXED_QUOTAS, configsPerPrincipal: 1_000, gatewaysPerPrincipal: 200 };

/** When there is room again is not known in advance. */
const RETRY_WHEN_FULL_MS = 10_000;

type Quota = keyof Omit<Quotas, 'endedBatchesPerPrincipal' | 'reportsPerPrincipal'>;

/** For each quota: the reason, what there is too much of, and what to do next. */
const FULL: Record<Quota, readonly [reason: ReasonOf<'RESOURCE_EXHAUSTED'>, what: string, next: string]> = {
  configsPerPrincipal: [
    'TOO_MANY_CONFIGS_OF_PRINCIPAL',
    'configs that it created',
    'delete some, or raise LEASEHOLD_MAX_CONFIGS_PER_PRINCIPAL',
  ],
  gatewaysPerPrincipal: [
    'TOO_MANY_GATEWAYS_OF_PRINCIPAL',
    'gateways that it created',
    'delete some, or raise LEASEHOLD_MAX_GATEWAYS_PER_PRINCIPAL',
  ],
  trialsPerPrincipal: [
    'TOO_MANY_TRIALS_OF_PRINCIPAL',
    'trials of configs that are not over',
    'wait until the objects of failed trials are removed from their clusters',
  ],
  enrollmentTokensPerPrincipal: [
    'TOO_MANY_ENROLLMENT_TOKENS',
    'enrollment tokens that have not expired',
    'wait until some expire, and ask for a shorter token_ttl',
  ],
  identitiesPerGateway: [
    'TOO_MANY_IDENTITIES_OF_GATEWAY',
    'enrolled identities',
    'revoke them with revoke_identities, and keep the identity file of each agent',
  ],
  streamsPerGateway: [
    'TOO_MANY_STREAMS_OF_GATEWAY',
    'agents connected',
    'stop some, or use a gateway for each group of agents',
  ],
  batchesPerPrincipal: ['TOO_MANY_BATCHES_OF_PRINCIPAL', 'batches that have not ended', 'wait until some end'],
  deletionsPerConfig: ['TOO_MANY_DELETIONS_OF_CONFIG', 'calls that delete it', 'wait until they end'],
};

/** `subject`: whose quota is reached, as QuotaFailure has it. */
export function quotaReached(quotas: Quotas, quota: Quota, subject: string): ResourceExhausted {
  const [reason, what, next] = FULL[quota];
  return new ResourceExhausted(reason, `${subject} has ${quotas[quota]} ${what}, which is the limit: ${next}`, {
    subject,
    retryAfterMs: RETRY_WHEN_FULL_MS,
  });
}
