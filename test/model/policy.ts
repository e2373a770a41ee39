import type { Policy } from '../../src/shared/ports/ports.ts';
import { CALL_TIMEOUT_MS } from './process.ts';

export const SWEEP_INTERVAL_MS = 30_000;

/** As the default settings make it, with a shorter longest wait, so that sequences reach it. */
export const POLICY: Policy = {
  alarmHorizonMs: 2 * SWEEP_INTERVAL_MS,
  retry: { initialMs: 1_000, maxMs: 60_000, stalledAfter: 3 },
  issueTimeoutMs: 4 * CALL_TIMEOUT_MS,
  takeDownTimeoutMs: 2 * CALL_TIMEOUT_MS,
  settleMs: 70_000,
};

export const MAX_TTL_SECONDS = 1_200;
export const MAX_TTL_MS = MAX_TTL_SECONDS * 1000;

/** Tokens end on whole seconds, and calls take their time. */
export const SLACK_MS = 2_000;

export const READ_BACK_INTERVAL_MS = 300_000;

/** An alarm whose worker died comes to another one after so long. */
export const TAKE_OVER_MS = 20_000;

/**
 * So long after the last fault every lease whose time had come is gone: the longest wait for a try or for what may still
 * appear, a worker that died at its last chance, and a sweep.
 */
export const BOUND_MS =
  POLICY.settleMs + POLICY.issueTimeoutMs + POLICY.retry.maxMs + TAKE_OVER_MS + 2 * SWEEP_INTERVAL_MS;
