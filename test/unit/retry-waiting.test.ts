import { beforeEach, expect, test, vi } from 'vitest';
import type { Config, GatewayRef } from '../../src/shared/domain/config.ts';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { type Lease, noteFailure } from '../../src/shared/domain/lease.ts';
import { retryWaiting, retryWaitingOn } from '../../src/shared/leases/retry-waiting.ts';
import { active, revoking, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

const NOW = Date.now();
const FAR = NOW + 300_000;
const GATEWAY = { name: 'private', uid: 'uid-of-private' };

let ports: ReturnType<typeof memoryPorts>;
beforeEach(() => {
  ports = memoryPorts(() => NOW);
});

async function storedConfig(name: string, gateway: GatewayRef | undefined): Promise<Config> {
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

/** Leases on a config that all wait, the newest last. */
async function manyWaiting(config: Config, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, () => stored(sampleLease(config), active, begun, failed)));
}

/** When each of them is tried, in ms from now; what is left to its own next try is not among them. */
async function triesOf(ids: readonly string[]): Promise<number[]> {
  const leases = await Promise.all(ids.map((id) => ports.leases.get(id)));
  return leases
    .filter((lease) => lease?.tries === 0)
    .map((lease) => (lease?.nextTryTime ?? 0) - NOW)
    .sort((one, other) => one - other);
}

const RETRIES: [string, () => Promise<number>][] = [
  ['whose gateway is back', () => retryWaiting(ports, GATEWAY)],
  ['whose config got another access', () => retryWaitingOn(ports, 'many')],
];

test.each(RETRIES)('700 leases %s are tried one after the other', async (_, retry) => {
  const ids = await manyWaiting(await storedConfig('many', GATEWAY), 700);
  expect(await retry()).toBe(700);
  const tries = await triesOf(ids);
  expect(tries).toHaveLength(700);
  const inFirstSecond = tries.filter((at) => at < 1_000);
  expect(inFirstSecond.length).toBeGreaterThan(0);
  expect(inFirstSecond.length).toBeLessThan(200);
  expect(tries.at(-1)).toBeLessThan(FAR - NOW);
  expect(ids.filter((id) => ports.alarm.ringsAt(id) === NOW)).toHaveLength(1);
});

test.each(RETRIES)('leases %s are read a few at a time, however many there are', async (_, retry) => {
  await manyWaiting(await storedConfig('many', GATEWAY), 500);
  const { list, get } = ports.leases;
  const { getAccess } = ports.configs;
  let most = 0;
  let atOnce = 0;
  const counted = async <T>(call: () => Promise<T>): Promise<T> => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    return call().finally(() => {
      atOnce -= 1;
    });
  };
  const pages: number[] = [];
  ports.configs.getAccess = (...args) => counted(() => getAccess.apply(ports.configs, args));
  ports.leases.get = (...args) => counted(() => get.apply(ports.leases, args));
  ports.leases.list = async (query) => {
    const page = await list.call(ports.leases, query);
    pages.push(page.length);
    // All of the page before were given their try.
    expect(await triesOf([...(query.before ? [query.before] : [])])).toHaveLength(query.before ? 1 : 0);
    return page;
  };
  expect(await retry()).toBe(500);
  expect(most).toBeLessThanOrEqual(16);
  expect(Math.max(...pages)).toBeLessThanOrEqual(200);
});

test('the leases of one config do not wait for those of another', async () => {
  await manyWaiting(await storedConfig('many', GATEWAY), 500);
  const [own = ''] = await manyWaiting(await storedConfig('victim', GATEWAY), 1);
  await manyWaiting(await storedConfig('more', GATEWAY), 500);
  await retryWaiting(ports, GATEWAY);
  expect(await triesOf([own])).toEqual([0]);
});

test('a lease whose own next try is sooner than its turn is left to that', async () => {
  const config = await storedConfig('many', GATEWAY);
  const own = { lastError: 'no agent is connected', nextTryTime: NOW + 5_000, stalledAfter: 10 };
  const sooner = await stored(sampleLease(config), active, begun, (lease) => noteFailure(lease, own));
  await manyWaiting(config, 500);
  await retryWaiting(ports, GATEWAY);
  expect(await ports.leases.get(sooner)).toMatchObject({ nextTryTime: NOW + 5_000, tries: 1 });
});

test('a gateway that comes and goes is gone through once at a time', async () => {
  await manyWaiting(await storedConfig('many', GATEWAY), 10);
  const retried = await Promise.all(Array.from({ length: 5 }, () => retryWaiting(ports, GATEWAY)));
  expect(retried).toEqual([10, 0, 0, 0, 0]);
});

test('however many gateways of one tenant come back at once, all leases are gone through twice at most', async () => {
  const others = Array.from({ length: 50 }, (_, index) => ({
    name: `flapping-${index}`,
    uid: `uid-of-flapping-${index}`,
  }));
  await manyWaiting(await storedConfig('many', others[7]), 10);
  await manyWaiting(await storedConfig('own', GATEWAY), 3);
  const reads = vi.spyOn(ports.leases, 'list');
  const retried = await Promise.all([...others, GATEWAY].map((gateway) => retryWaiting(ports, gateway)));
  expect(retried).toEqual([...others.map((_, index) => (index === 7 ? 10 : 0)), 3]);
  expect(reads.mock.calls.filter(([{ before }]) => before === undefined).length).toBeLessThanOrEqual(2);
});

test('a gateway that is back while others are gone through has its turn after them, once', async () => {
  await manyWaiting(await storedConfig('many', GATEWAY), 10);
  const late = { name: 'late', uid: 'uid-of-late' };
  await manyWaiting(await storedConfig('own', late), 3);
  const first = retryWaiting(ports, GATEWAY);
  await Promise.resolve();
  expect(await Promise.all([first, retryWaiting(ports, late), retryWaiting(ports, late)])).toEqual([10, 3, 0]);
});

test('a look that fails is told to those who waited for it, and the next one is made', async () => {
  await manyWaiting(await storedConfig('many', GATEWAY), 10);
  vi.spyOn(ports.leases, 'list').mockRejectedValueOnce(new Unavailable('STORE_UNAVAILABLE', 'the store is away'));
  await expect(retryWaiting(ports, GATEWAY)).rejects.toThrow('the store is away');
  expect(await retryWaiting(ports, GATEWAY)).toBe(10);
});
