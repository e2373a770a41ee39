import { asksTooMuch, type CallRates, QUESTIONS_AT_ONCE, triesTooOften } from '../domain/call-rates.ts';
import type { CallBudgets } from '../ports/call-budgets.ts';
import type { Keys } from './keys.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';

const admitScript = loadScript('admit-cost', 'issue-rate');

/** No call costs more: what is counted may be so many times the burst ahead. */
const LARGEST_IN_BURSTS = 10;

/** Budgets in Redis: a key for each principal that goes by itself once the budget is full again. They may be lost. */
export class RedisCallBudgets implements CallBudgets {
  readonly #scripts: ScriptRunner;
  readonly #keys: Keys;
  readonly #rates: CallRates;

  constructor(scripts: ScriptRunner, keys: Keys, rates: CallRates) {
    this.#scripts = scripts;
    this.#keys = keys;
    this.#rates = rates;
  }

  async admitQuestions(principal: string, count: number): Promise<void> {
    const { questionsPerSecond } = this.#rates;
    const burst = Math.max(questionsPerSecond, QUESTIONS_AT_ONCE);
    const retryAfterMs = await this.#admit(this.#keys.questionRate(principal), questionsPerSecond, count, burst);
    if (retryAfterMs > 0) {
      throw asksTooMuch(principal, this.#rates, { count, retryAfterMs });
    }
  }

  async admitTrial(principal: string): Promise<void> {
    const { trialsPerMinute } = this.#rates;
    const retryAfterMs = await this.#admit(this.#keys.trialRate(principal), trialsPerMinute / 60, 1, trialsPerMinute);
    if (retryAfterMs > 0) {
      throw triesTooOften(principal, this.#rates, retryAfterMs);
    }
  }

  async #admit(key: string, perSecond: number, cost: number, burst: number): Promise<number> {
    return Number(await admitScript(this.#scripts, [key], [perSecond, cost, burst, burst * LARGEST_IN_BURSTS]));
  }
}
