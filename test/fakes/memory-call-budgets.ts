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
    this.#weighQuestions(principal, count)();
  }

  async admitTrial(principal: string, questions: number): Promise<void> {
    const trial = this.#weigh(`trials of ${principal}`, 60_000 / this.#rates.trialsPerMinute, 60_000);
    if (trial.waitMs > 0) {
      throw triesTooOften(principal, this.#rates, trial.waitMs);
    }
    const countQuestions = this.#weighQuestions(principal, questions);
    trial.count();
    countQuestions();
  }

  /** What counts them. */
  #weighQuestions(principal: string, count: number): () => void {
    const { questionsPerSecond } = this.#rates;
    const eachMs = 1000 / questionsPerSecond;
    const burst = Math.max(questionsPerSecond, QUESTIONS_AT_ONCE);
    const questions = this.#weigh(`questions of ${principal}`, count * eachMs, burst * eachMs);
    if (questions.waitMs > 0) {
      throw asksTooMuch(principal, this.#rates, { count, retryAfterMs: questions.waitMs });
    }
    return questions.count;
  }

  #weigh(key: string, costMs: number, burstMs: number): { waitMs: number; count: () => void } {
    const now = this.#now();
    const filledUntil = Math.max(now, this.#filledUntil.get(key) ?? 0) + costMs;
    const waitMs = Math.ceil(filledUntil - Math.max(burstMs || 0, costMs) - now);
    return { waitMs, count: () => this.#filledUntil.set(key, filledUntil) };
  }
}
