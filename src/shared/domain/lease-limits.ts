import { ResourceExhausted } from './errors.ts';

/** How many leases are taken. Trial leases are not counted, and always taken. */
export interface LeaseLimits {
  /** Leases on one config that live at the same time. */
  perConfig: number;
  /** Leases of one principal that live at the same time. */
  perPrincipal: number;
  /** Issues and renewals of one principal in a second. As many may come at once. */
  issueRate: number;
}

/** Nobody knows when a lease will end and make room. */
const RETRY_WHEN_FULL_MS = 10_000;

export function configIsFull(config: string, { perConfig }: LeaseLimits): ResourceExhausted {
  return new ResourceExhausted(
    'TOO_MANY_LEASES_ON_CONFIG',
    `config ${JSON.stringify(config)} has as many live leases as it may: ${perConfig}`,
    { subject: `config:${config}`, retryAfterMs: RETRY_WHEN_FULL_MS },
  );
}

export function principalIsFull(principal: string, { perPrincipal }: LeaseLimits): ResourceExhausted {
  return new ResourceExhausted(
    'TOO_MANY_LEASES_OF_PRINCIPAL',
    `${principal} has as many live leases as a principal may: ${perPrincipal}`,
    { subject: `principal:${principal}`, retryAfterMs: RETRY_WHEN_FULL_MS },
  );
}

export function isTooEarly(principal: string, { issueRate }: LeaseLimits, retryAfterMs: number): ResourceExhausted {
  return new ResourceExhausted(
    'ISSUE_RATE_EXCEEDED',
    `${principal} issues and renews more than ${issueRate} leases in a second`,
    { subject: `principal:${principal}`, retryAfterMs },
  );
}
