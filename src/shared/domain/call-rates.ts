import { ResourceExhausted } from './errors.ts';

/** How often one principal may make Leasehold call clusters for a config, at all servers together. */
export interface CallRates {
  /** Questions to clusters in a second. */
  questionsPerSecond: number;
  /** Trials of a config in a minute. As many may come at once. */
  trialsPerMinute: number;
}

/** Questions that may come at once: a check of the largest config, of 64 namespaces with a Role in each, asks 769. */
export const QUESTIONS_AT_ONCE = 1_000;

export function asksTooMuch(
  principal: string,
  { questionsPerSecond }: CallRates,
  { count, retryAfterMs }: { count: number; retryAfterMs: number },
): ResourceExhausted {
  return new ResourceExhausted(
    'QUESTION_RATE_EXCEEDED',
    `${principal} asks clusters more than ${questionsPerSecond} questions a second (LEASEHOLD_QUESTION_RATE); this call asks ${count}: wait as long as RetryInfo says`,
    { subject: `principal:${principal}`, retryAfterMs },
  );
}

export function triesTooOften(
  principal: string,
  { trialsPerMinute }: CallRates,
  retryAfterMs: number,
): ResourceExhausted {
  return new ResourceExhausted(
    'TRIAL_RATE_EXCEEDED',
    `${principal} tries configs on clusters more than ${trialsPerMinute} times a minute (LEASEHOLD_TRIAL_RATE): wait as long as RetryInfo says`,
    { subject: `principal:${principal}`, retryAfterMs },
  );
}
