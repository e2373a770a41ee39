import { expect, test } from 'vitest';
import type { Batch } from '../../src/shared/domain/batch.ts';
import type { Lease } from '../../src/shared/domain/lease.ts';
import { awaitIssue } from '../../src/shared/leases/await-issue.ts';
import { followBatch } from '../../src/shared/leases/batch.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { active, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';
import { VirtualClock } from '../fakes/virtual-clock.ts';

// How often calls that wait ask the store: a caller may have hundreds of them.

const CALLS = 100;
const WAIT_MS = 10_000;
const config = sampleConfig('dynamic');
const START = Date.parse('2030-01-01T00:00:00Z');

/** Ports on a clock of their own, whose leases are looked up in `leases`, and that count how often. */
function waitingPorts() {
  const clock = new VirtualClock(START);
  const memory = memoryPorts(clock.now);
  const leases = new Map<string, Lease>();
  const reads = { leases: 0, batches: 0 };
  const ports: Ports = {
    ...memory,
    clock: { now: clock.now, sleep: clock.sleep },
    leases: Object.assign(memory.leases, {
      get: async (id: string) => {
        reads.leases += 1;
        return leases.get(id);
      },
    }),
  };
  const pending = (id: string): Lease => {
    const lease = sampleLease(config, { id, issueDeadline: START + 2 * WAIT_MS });
    leases.set(id, lease);
    return lease;
  };
  const issued = (lease: Lease) => void leases.set(lease.id, active(lease));
  return { clock, ports, reads, pending, issued };
}

test.each([
  ['one call', 1, 1],
  ['many calls for one lease', CALLS, 1],
  ['many calls for as many leases', CALLS, CALLS],
])('%s that waits for an issue asks the store about twice a second', async (_name, calls, count) => {
  const { clock, ports, reads, pending, issued } = waitingPorts();
  const leases = Array.from({ length: count }, (_, index) => pending(`lease-${index}`));
  const waits = Array.from({ length: calls }, (_, index) => awaitIssue(ports, leases[index % count] as Lease));
  await clock.advance(WAIT_MS);
  expect(reads.leases / count).toBeLessThan(25);
  leases.forEach(issued);
  await clock.advance(1_000);
  expect((await Promise.all(waits)).map((lease) => lease?.state)).toEqual(waits.map(() => 'ACTIVE'));
});

test('a call hears soon of an issue that takes as long as most', async () => {
  const { clock, ports, pending, issued } = waitingPorts();
  const lease = pending('lease');
  const wait = awaitIssue(ports, lease);
  await clock.advance(40);
  issued(lease);
  await clock.advance(20);
  expect(await wait).toMatchObject({ state: 'ACTIVE' });
});

test('a caller that gives up ends its own wait, and not that of others', async () => {
  const { clock, ports, pending, issued } = waitingPorts();
  const lease = pending('lease');
  const giveUp = new AbortController();
  const left = awaitIssue(ports, lease, giveUp.signal);
  const stays = awaitIssue(ports, lease);
  giveUp.abort();
  await expect(left).rejects.toMatchObject({ name: 'AbortError' });
  issued(lease);
  await clock.advance(1_000);
  expect(await stays).toMatchObject({ state: 'ACTIVE' });
});

test('a store that fails fails the waits, and the next one asks anew', async () => {
  const { clock, ports, pending, issued } = waitingPorts();
  const { get } = ports.leases;
  const lease = pending('lease');
  ports.leases.get = () => Promise.reject(new Error('store'));
  const failing = expect(Promise.all([awaitIssue(ports, lease), awaitIssue(ports, lease)])).rejects.toThrow('store');
  await clock.advance(1_000);
  await failing;
  ports.leases.get = get;
  const again = awaitIssue(ports, lease);
  issued(lease);
  await clock.advance(1_000);
  expect(await again).toMatchObject({ state: 'ACTIVE' });
});

test('a stream of a batch without news asks the store about once a second, and soon again after some', async () => {
  const { clock, ports, reads } = waitingPorts();
  const batch: Batch = { id: 'batch', principal: 'caller', target: { kind: 'all' }, createTime: START };
  const { get } = ports.batches;
  await ports.batches.record(batch);
  ports.batches.get = (id) => {
    reads.batches += 1;
    return get.call(ports.batches, id);
  };
  const news = followBatch(ports, batch.id)[Symbol.asyncIterator]();
  const first = news.next();
  await clock.advance(WAIT_MS);
  expect(reads.batches).toBeLessThan(20);
  await ports.batches.report(batch, { leaseId: 'lease', state: 'REVOKED', error: '' });
  await clock.advance(1_000);
  expect(await first).toMatchObject({ value: { ended: false } });
  const last = news.next();
  await clock.advance(50);
  await ports.batches.end(batch.id, clock.now());
  await clock.advance(200);
  expect(await last).toMatchObject({ value: { ended: true } });
});
