import { z } from 'zod';
import { asksTooMuch, type CallRates, QUESTIONS_AT_ONCE, triesTooOften } from '../domain/call-rates.ts';
import type { CallBudgets } from '../ports/call-budgets.ts';
import type { Keys } from './keys.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';

const admitScript = loadScript('admit-cost', 'issue-rate');
const admitTrialScript = loadScript('admit-trial', 'issue-rate');

const TrialAnswer = z.union([z.tuple([z.literal('ok')]), z.tuple([z.enum(['trials', 'questions']), z.number()])]);

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
    const costs = this.#costsOf(count);
    const retryAfterMs = Number(await admitScript(this.#scripts, [this.#keys.questionRate(principal)], costs));
    if (retryAfterMs > 0) {
      throw asksTooMuch(principal, this.#rates, { count, retryAfterMs });
    }
  }

  async admitTrial(principal: string, questions: number): Promise<void> {
    const { trialsPerMinute } = this.#rates;
    const answer = await admitTrialScript(
      this.#scripts,
      [this.#keys.trialRate(principal), this.#keys.questionRate(principal)],
      [trialsPerMinute / 60, trialsPerMinute, ...this.#costsOf(questions)],
    );
    const [outcome, retryAfterMs = 0] = TrialAnswer.parse(answer);
    if (outcome === 'trials') {
      throw triesTooOften(principal, this.#rates, retryAfterMs);
    }
    if (outcome === 'questions') {
      throw asksTooMuch(principal, this.#rates, { count: questions, retryAfterMs });
    }
  }

  /** Questions in a second, how many are asked, most at once, and the largest number. */
  #costsOf(questions: number): number[] {
    const { questionsPerSecond } = this.#rates;
    const burst = Math.max(questionsPerSecond, QUESTIONS_AT_ONCE);
    return [questionsPerSecond, questions, burst, burst * LARGEST_IN_BURSTS];
  }
}
