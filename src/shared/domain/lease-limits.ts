import { ResourceExhausted } from './errors.ts';

/**
 * How many leases are taken, and how many are kept after their end. Trial leases count for MAX_TRIALS_OF_PRINCIPAL
 * only.
 */
export interface LeaseLimits {
  /** Leases on one config that live at the same time. */
  perConfig: number;
  /** Leases of one principal that live at the same time. */
  perPrincipal: number;
  /** Issues and renewals of one principal in a second. As many may come at once. */
  issueRate: number;
  /** Ended leases that are kept of one principal; for one more, the one of its own that ended first is forgotten. */
  endedPerPrincipal: number;
  /** Ended leases that are kept of all principals before each new one costs its principal, down to KEPT_WHEN_FULL. */
  ended: number;
}

/**
 * Ended leases that a principal keeps while there are as many as `ended` of all: whoever comes last still sees how its
 * latest leases ended, and a caller loses none because of another's.
 */
export const KEPT_WHEN_FULL = 100;

/**
 * Trial leases of one caller that live at the same time. One call has one for each namespace at most; more are left
 * only where a cluster does not let them be taken down.
 */
export const MAX_TRIALS_OF_PRINCIPAL = 256;

/** Nobody knows when a lease will end and make room. */
const RETRY_WHEN_FULL_MS = 10_000;

export function configIsFull(config: string, { perConfig }: LeaseLimits): ResourceExhausted {
  return new ResourceExhausted(
    'TOO_MANY_LEASES_ON_CONFIG',
    `config ${JSON.stringify(config)} has as many live leases as it may: ${perConfig} (LEASEHOLD_MAX_LEASES_PER_CONFIG). Revoke some, or wait until some end`,
    { subject: `config:${config}`, retryAfterMs: RETRY_WHEN_FULL_MS },
  );
}

export function principalIsFull(principal: string, { perPrincipal }: LeaseLimits): ResourceExhausted {
  return new ResourceExhausted(
    'TOO_MANY_LEASES_OF_PRINCIPAL',
    `${principal} has as many live leases as a principal may: ${perPrincipal} (LEASEHOLD_MAX_LEASES_PER_PRINCIPAL). Revoke some, or wait until some end`,
    { subject: `principal:${principal}`, retryAfterMs: RETRY_WHEN_FULL_MS },
  );
}

export function hasTooManyTrials(principal: string): ResourceExhausted {
  return new ResourceExhausted(
    'TOO_MANY_TRIALS_OF_PRINCIPAL',
    `${principal} has as many trial leases that are not taken down as a principal may: ${MAX_TRIALS_OF_PRINCIPAL}; wait until their objects are removed from their clusters`,
    { subject: `principal:${principal}`, retryAfterMs: RETRY_WHEN_FULL_MS },
  );
}

export function isTooEarly(principal: string, { issueRate }: LeaseLimits, retryAfterMs: number): ResourceExhausted {
  return new ResourceExhausted(
    'ISSUE_RATE_EXCEEDED',
    `${principal} issues and renews more than ${issueRate} leases in a second (LEASEHOLD_ISSUE_RATE): wait as long as RetryInfo says`,
    { subject: `principal:${principal}`, retryAfterMs },
  );
}
