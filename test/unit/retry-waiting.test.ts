import { expect, test } from 'vitest';
import type { Config } from '../../src/shared/domain/config.ts';
import { type Lease, noteFailure } from '../../src/shared/domain/lease.ts';
import { retryWaiting } from '../../src/shared/leases/retry-waiting.ts';
import { active, revoking, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

const NOW = Date.now();
const FAR = NOW + 300_000;
const GATEWAY = { name: 'private', uid: 'uid-of-private' };

const ports = memoryPorts(() => NOW);

async function storedConfig(name: string, gateway: typeof GATEWAY | undefined): Promise<Config> {
  const { access, uid } = sampleConfig(name);
  const config = sampleConfig(name, { uid, access: { ...access, gateway } });
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  return config;
}

/** Stores a lease through all its states up to the last. */
async function stored(pending: Lease, ...steps: ((lease: Lease) => Lease)[]): Promise<string> {
  await ports.leases.record(pending);
  let lease = pending;
  for (const step of steps) {
    lease = step(lease);
    expect(await ports.leases.save(lease)).toBe(true);
  }
  return lease.id;
}

const begun = (lease: Lease) => revoking(lease, 'EXPIRED', FAR);
const failed = (lease: Lease) =>
  noteFailure(lease, { lastError: 'no agent is connected', nextTryTime: FAR, stalledAfter: 10 });

test('what waits for a gateway that is back is tried now, and nothing else is touched', async () => {
  const behind = await storedConfig('behind', GATEWAY);
  const elsewhere = await storedConfig('elsewhere', undefined);
  const waiting = await stored(sampleLease(behind), active, begun, failed);
  const moved = await storedConfig('moved', GATEWAY);
  const left = await stored(sampleLease(moved), active, begun, failed);
  const { access } = sampleConfig('away', { uid: moved.uid });
  await ports.configs.keepAccess(access);
  await ports.configs.replace({ ...moved, access, version: 2 });
  const others = [
    await stored(sampleLease(behind), active),
    await stored(sampleLease(behind), active, begun),
    await stored(sampleLease(elsewhere), active, begun, failed),
  ];
  const before = await Promise.all(others.map((id) => ports.leases.get(id)));

  expect(await retryWaiting(ports, GATEWAY)).toBe(2);
  for (const id of [waiting, left]) {
    expect(await ports.leases.get(id)).toMatchObject({ state: 'REVOKING', nextTryTime: NOW, tries: 0 });
    expect(ports.alarm.ringsAt(id)).toBe(NOW);
  }
  expect(await Promise.all(others.map((id) => ports.leases.get(id)))).toEqual(before);
  expect(await retryWaiting(ports, GATEWAY)).toBe(0);
});
