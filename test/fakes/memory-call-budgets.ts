import { asksTooMuch, type CallRates, QUESTIONS_AT_ONCE, triesTooOften } from '../../src/shared/domain/call-rates.ts';
import type { CallBudgets } from '../../src/shared/ports/call-budgets.ts';

const UNLIMITED: CallRates = { questionsPerSecond: Infinity, trialsPerMinute: Infinity };

/** Budgets in memory. */
export class MemoryCallBudgets implements CallBudgets {
  readonly #now: () => number;
  readonly #rates: CallRates;
  readonly #filledUntil = new Map<string, number>();

  constructor(now: () => number = Date.now, rates: CallRates = UNLIMITED) {
    this.#now = now;
    this.#rates = rates;
  }

  async admitQuestions(principal: string, count: number): Promise<void> {
    const { questionsPerSecond } = this.#rates;
    const eachMs = 1000 / questionsPerSecond;
    const burst = Math.max(questionsPerSecond, QUESTIONS_AT_ONCE);
    const retryAfterMs = this.#admit(`questions of ${principal}`, count * eachMs, burst * eachMs);
    if (retryAfterMs > 0) {
      throw asksTooMuch(principal, this.#rates, { count, retryAfterMs });
    }
  }

  async admitTrial(principal: string): Promise<void> {
    const retryAfterMs = this.#admit(`trials of ${principal}`, 60_000 / this.#rates.trialsPerMinute, 60_000);
    if (retryAfterMs > 0) {
      throw triesTooOften(principal, this.#rates, retryAfterMs);
    }
  }

  #admit(key: string, costMs: number, burstMs: number): number {
    const now = this.#now();
    const filledUntil = Math.max(now, this.#filledUntil.get(key) ?? 0) + costMs;
    const waitMs = Math.ceil(filledUntil - Math.max(burstMs || 0, costMs) - now);
    if (waitMs <= 0) {
      this.#filledUntil.set(key, filledUntil);
    }
    return waitMs;
  }
}
