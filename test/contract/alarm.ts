import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Alarm } from '../../src/shared/ports/alarm.ts';

/** An alarm clock in which nothing is set, and a look at it. */
export interface OpenAlarm {
  alarm: Alarm;
  /** When the alarm of a lease rings; undefined: never. */
  ringsAt(leaseId: string): Promise<number | undefined>;
  /** How many workers would be woken for a batch. */
  batchWakings(batchId: string): Promise<number>;
}

const SOON = Date.now() + 60_000;

/** An alarm is set by how long it is until then: some ms pass in between. */
function expectAbout(time: number | undefined, wanted: number): void {
  expect(Math.abs((time ?? 0) - wanted)).toBeLessThan(1_000);
}

/** What every Alarm does. */
export function describeAlarm(open: () => OpenAlarm): void {
  test('rings when it was set for, each lease by itself', async () => {
    const { alarm, ringsAt } = open();
    const [one, other] = [randomUUID(), randomUUID()];
    await alarm.set([{ leaseId: one, at: SOON }]);
    await alarm.set([{ leaseId: other, at: SOON + 5_000 }]);
    expectAbout(await ringsAt(one), SOON);
    expectAbout(await ringsAt(other), SOON + 5_000);
    expect(await ringsAt(randomUUID())).toBeUndefined();
  });

  test('is moved to a later and to an earlier time', async () => {
    const { alarm, ringsAt } = open();
    const lease = randomUUID();
    await alarm.set([{ leaseId: lease, at: SOON }]);
    await alarm.move({ leaseId: lease, at: SOON + 30_000 });
    expectAbout(await ringsAt(lease), SOON + 30_000);
    await alarm.move({ leaseId: lease, at: SOON - 30_000 });
    expectAbout(await ringsAt(lease), SOON - 30_000);
  });

  test('is set by a move where there is none', async () => {
    const { alarm, ringsAt } = open();
    const lease = randomUUID();
    await alarm.move({ leaseId: lease, at: SOON });
    expectAbout(await ringsAt(lease), SOON);
  });

  test('rings at once where its time has passed', async () => {
    const { alarm, ringsAt } = open();
    const [set, moved] = [randomUUID(), randomUUID()];
    await alarm.set([{ leaseId: set, at: SOON - 3_600_000 }]);
    await alarm.set([{ leaseId: moved, at: SOON }]);
    await alarm.move({ leaseId: moved, at: SOON - 3_600_000 });
    expect(await ringsAt(set)).toBeLessThanOrEqual(Date.now());
    expect(await ringsAt(moved)).toBeLessThanOrEqual(Date.now());
  });

  test('stays as it is where it is set again', async () => {
    const { alarm, ringsAt } = open();
    const [set, other] = [randomUUID(), randomUUID()];
    await alarm.set([{ leaseId: set, at: SOON }]);
    await alarm.set([
      { leaseId: set, at: SOON + 30_000 },
      { leaseId: other, at: SOON + 5_000 },
    ]);
    expectAbout(await ringsAt(set), SOON);
    expectAbout(await ringsAt(other), SOON + 5_000);
  });

  test('wakes one worker for a batch, however often it is asked to', async () => {
    const { alarm, batchWakings } = open();
    const batch = randomUUID();
    await alarm.wakeForBatch(batch);
    await alarm.wakeForBatch(batch);
    expect(await batchWakings(batch)).toBe(1);
    expect(await batchWakings(randomUUID())).toBe(0);
  });
}
