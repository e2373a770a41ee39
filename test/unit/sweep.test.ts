import { beforeEach, expect, test, vi } from 'vitest';
import { sweep } from '../../src/shared/leases/sweep.ts';
import { active, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

const NOW = Date.now();
const A_MINUTE = 60_000;

let ports: ReturnType<typeof memoryPorts>;
beforeEach(() => {
  ports = memoryPorts(() => NOW);
});

/** Leases whose ends have passed by so much; where their alarms are set, they ring at `ringsAt`. */
async function overdue(count: number, byMs: number, ringsAt?: number): Promise<string[]> {
  const config = sampleConfig(`config-${byMs}`);
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const pending = sampleLease(config);
    await ports.leases.record(pending);
    await ports.leases.save(active(pending, NOW - byMs));
    ids.push(pending.id);
  }
  await ports.alarm.set(ringsAt === undefined ? [] : ids.map((leaseId) => ({ leaseId, at: ringsAt })));
  return ids;
}

const ringTimes = (ids: readonly string[]) => ids.map((id) => (ports.alarm.ringsAt(id) ?? 0) - NOW);

test('leases that the worker put off come back when it said', async () => {
  const putOff = await overdue(300, 30_000, NOW + 20_000);
  await sweep(ports);
  expect(new Set(ringTimes(putOff))).toEqual(new Set([20_000]));
});

test('a lease whose alarm was lost rings at once, however many were put off before it', async () => {
  await overdue(300, 30_000, NOW + 20_000);
  const lost = await overdue(1, 10_000);
  await sweep(ports);
  expect(ringTimes(lost)).toEqual([0]);
});

test('alarms that are set wrong are moved, one after the other', async () => {
  const late = await overdue(300, 2 * A_MINUTE, NOW + 10 * A_MINUTE);
  await sweep(ports);
  const times = ringTimes(late);
  expect(Math.max(...times)).toBeLessThan(A_MINUTE);
  expect(times.filter((at) => at < 100).length).toBeLessThan(100);
});

test('however many alarms are moved, each rings before the next sweep', async () => {
  const late = Array.from({ length: 20_000 }, (_, index) => ({ leaseId: `lease-${index}`, at: NOW - 2 * A_MINUTE }));
  ports.leases.dueBefore = async (_, { offset, limit }) => late.slice(offset, offset + limit);
  const moved = vi.spyOn(ports.alarm, 'move').mockResolvedValue();
  vi.spyOn(ports.alarm, 'set').mockResolvedValue();
  await sweep(ports);
  expect(moved).toHaveBeenCalledTimes(late.length);
  const betweenSweepsMs = ports.policy.alarmHorizonMs / 2;
  expect(Math.max(...moved.mock.calls.map(([{ at }]) => at - NOW))).toBeLessThan(betweenSweepsMs);
});
