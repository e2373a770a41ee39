import { describe, expect, test } from 'vitest';
import type { CallRates } from '../../src/shared/domain/call-rates.ts';
import type { ResourceExhausted } from '../../src/shared/domain/errors.ts';
import type { CallBudgets } from '../../src/shared/ports/call-budgets.ts';

/** So few that hardly one comes back while a test runs. */
const SLOW: CallRates = { questionsPerSecond: 1, trialsPerMinute: 1 };
const BURST = 1_000;

/** What every CallBudgets does. `open` gives fresh ones for each test. */
export function describeCallBudgets(open: (rates: CallRates) => CallBudgets): void {
  async function refusalOf(call: Promise<void>): Promise<ResourceExhausted> {
    return call.then(
      () => expect.fail('it was admitted'),
      (error: ResourceExhausted) => error,
    );
  }

  describe('a budget of questions', () => {
    test('is spent by what calls cost, not by their number', async () => {
      const budgets = open(SLOW);
      await budgets.admitQuestions('one', BURST - 600);
      await budgets.admitQuestions('one', 600);
      const refusal = await refusalOf(budgets.admitQuestions('one', 100));
      expect(refusal).toMatchObject({ reason: 'QUESTION_RATE_EXCEEDED', subject: 'principal:one' });
      expect(refusal.message).toContain('LEASEHOLD_QUESTION_RATE');
    });

    test.each([1, 100, 1_000])('says after how long %i questions are admitted', async (count) => {
      const budgets = open(SLOW);
      await budgets.admitQuestions('one', BURST);
      const { retryAfterMs } = await refusalOf(budgets.admitQuestions('one', count));
      expect(retryAfterMs).toBeLessThanOrEqual(count * 1000);
      expect(retryAfterMs).toBeGreaterThan(count * 1000 - 60_000);
    });

    test('is each principal its own', async () => {
      const budgets = open(SLOW);
      await budgets.admitQuestions('one', BURST);
      await budgets.admitQuestions('other', BURST);
    });

    test('admits what is larger than all that may come at once where nothing is spent, and then stays in debt', async () => {
      const budgets = open(SLOW);
      await budgets.admitQuestions('one', 3 * BURST);
      const { retryAfterMs } = await refusalOf(budgets.admitQuestions('one', BURST));
      expect(retryAfterMs).toBeGreaterThan(2 * BURST * 1000);
      const larger = await refusalOf(budgets.admitQuestions('one', 2 * BURST));
      expect(larger.retryAfterMs).toBeGreaterThan(2 * BURST * 1000);
      await budgets.admitQuestions('other', 1);
      const spent = await refusalOf(budgets.admitQuestions('other', 2 * BURST));
      expect(spent.retryAfterMs).toBeLessThanOrEqual(1000);
    });

    test('is not spent by what is refused', async () => {
      const budgets = open(SLOW);
      await budgets.admitQuestions('one', 600);
      await refusalOf(budgets.admitQuestions('one', 500));
      await budgets.admitQuestions('one', 400);
    });

    test('is not passed by many calls at the same time', async () => {
      const budgets = open(SLOW);
      const calls = await Promise.allSettled(Array.from({ length: 50 }, () => budgets.admitQuestions('one', 300)));
      expect(calls.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    });
  });

  test('a minute of trials may come at once, and the next one says when', async () => {
    const budgets = open({ ...SLOW, trialsPerMinute: 3 });
    const calls = await Promise.allSettled(Array.from({ length: 9 }, () => budgets.admitTrial('one', 1)));
    expect(calls.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    const refusal = await refusalOf(budgets.admitTrial('one', 1));
    expect(refusal).toMatchObject({ reason: 'TRIAL_RATE_EXCEEDED', subject: 'principal:one' });
    expect(refusal.message).toContain('LEASEHOLD_TRIAL_RATE');
    expect(refusal.retryAfterMs).toBeLessThanOrEqual(20_000);
    await budgets.admitTrial('other', 1);
  });

  test('a trial that is refused for its questions, or for its rate, costs neither', async () => {
    const budgets = open({ ...SLOW, trialsPerMinute: 2 });
    await budgets.admitQuestions('one', 600);
    for (let repeated = 0; repeated < 5; repeated++) {
      const refusal = await refusalOf(budgets.admitTrial('one', 500));
      expect(refusal).toMatchObject({ reason: 'QUESTION_RATE_EXCEEDED', subject: 'principal:one' });
      expect(refusal.message).toContain('this call asks 500');
    }
    await budgets.admitTrial('one', 100);
    await budgets.admitTrial('one', 100);
    for (let repeated = 0; repeated < 5; repeated++) {
      expect(await refusalOf(budgets.admitTrial('one', 100))).toMatchObject({ reason: 'TRIAL_RATE_EXCEEDED' });
    }
    await budgets.admitQuestions('one', 200);
  });
}
