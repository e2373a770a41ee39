import type { CallRates } from './domain/call-rates.ts';
import type { LeaseLimits } from './domain/lease-limits.ts';
import { FIXED_QUOTAS, type Quotas } from './domain/quotas.ts';
import type { Policy } from './ports/ports.ts';
import type { Settings } from './settings.ts';

/** Calls to a cluster that follow each other while a lease is issued, and some for what else takes time. */
const CALLS_IN_AN_ISSUE = 4;

/** While it is taken down: with the newest credentials, then with those of its issue. */
const CALLS_IN_A_TAKE_DOWN = 2;

/** An alarm is set by the first sweep that sees it, and by another where that one comes late. */
const HORIZON_IN_SWEEPS = 2;

/** How many leases are taken and kept, as the settings say. */
export function leaseLimitsOf(settings: Settings): LeaseLimits {
  return {
    perConfig: settings.LEASEHOLD_MAX_LEASES_PER_CONFIG,
    perPrincipal: settings.LEASEHOLD_MAX_LEASES_PER_PRINCIPAL,
    issueRate: settings.LEASEHOLD_ISSUE_RATE,
    endedPerPrincipal: settings.LEASEHOLD_MAX_ENDED_LEASES_PER_PRINCIPAL,
    ended: settings.LEASEHOLD_MAX_ENDED_LEASES,
  };
}

/** How much is stored for each caller, as the settings say. */
export function quotasOf(settings: Settings): Quotas {
  return {
    ...FIXED_QUOTAS,
    configsPerPrincipal: settings.LEASEHOLD_MAX_CONFIGS_PER_PRINCIPAL,
    gatewaysPerPrincipal: settings.LEASEHOLD_MAX_GATEWAYS_PER_PRINCIPAL,
  };
}

/** How often a caller may have clusters called, as the settings say. */
export function callRatesOf(settings: Settings): CallRates {
  return {
    questionsPerSecond: settings.LEASEHOLD_QUESTION_RATE,
    trialsPerMinute: settings.LEASEHOLD_TRIAL_RATE,
  };
}

/** How patient the use cases are, as the settings say or as follows from them. */
export function policyOf(settings: Settings): Policy {
  const callMs = (settings.LEASEHOLD_CLUSTER_CONNECT_TIMEOUT + settings.LEASEHOLD_CLUSTER_CALL_TIMEOUT) * 1000;
  return {
    retry: {
      initialMs: settings.LEASEHOLD_RETRY_INITIAL * 1000,
      maxMs: settings.LEASEHOLD_RETRY_MAX * 1000,
      stalledAfter: settings.LEASEHOLD_STALLED_AFTER,
    },
    alarmHorizonMs: HORIZON_IN_SWEEPS * settings.LEASEHOLD_SWEEP_INTERVAL * 1000,
    issueTimeoutMs: CALLS_IN_AN_ISSUE * callMs,
    takeDownTimeoutMs: CALLS_IN_A_TAKE_DOWN * callMs,
    settleMs: settings.LEASEHOLD_SETTLE_TIME * 1000,
  };
}
