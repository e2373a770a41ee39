import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test, vi } from 'vitest';
import type { BatchTarget } from '../../src/shared/domain/batch.ts';
import type { Config } from '../../src/shared/domain/config.ts';
import { runBatch, startBatch } from '../../src/shared/leases/batch.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { batchPool } from '../../src/worker/batch-pool.ts';
import { Lanes } from '../../src/worker/lanes.ts';
import { active, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';
import { eventually } from '../support/eventually.ts';

// In a batch of leases of many tenants, those whose deletes hang do not hold up the others.

const memory = memoryPorts();

/** As the worker shares its places. */
const newPool = () => batchPool(ports, new Lanes(128, 20));

let letGo = Promise.withResolvers<void>();
beforeEach(() => {
  letGo = Promise.withResolvers();
});
const ports: Ports = {
  ...memory,
  clock: { now: Date.now, sleep: (ms) => new Promise((resolve) => void setTimeout(resolve, Math.min(ms, 50))) },
  clusters: {
    at(access) {
      const cluster = memory.clusters.at(access);
      const remove = cluster.remove.bind(cluster);
      return Object.assign(cluster, {
        async remove(object: Parameters<typeof remove>[0]) {
          if (access.kind === 'direct' && access.token.reveal().includes('stuck')) {
            await letGo.promise;
          }
          return remove(object);
        },
      });
    },
  },
};

async function leasesOn(config: Config, principal: string, count: number): Promise<string[]> {
  await memory.configs.keepAccess(config.access);
  await memory.configs.create(config);
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const pending = sampleLease(config, { principal });
    await memory.leases.record(pending);
    await memory.leases.save(active(pending));
    ids.push(pending.id);
  }
  return ids;
}

const stateOf = async (id: string) => (await memory.leases.get(id))?.state;

test('the leases of others are revoked while hundreds hang, and those when they can be', async () => {
  const before = await leasesOn(sampleConfig('victim-before'), 'victim', 5);
  const hanging: string[] = [];
  for (const index of [1, 2, 3, 4]) {
    hanging.push(...(await leasesOn(sampleConfig(`stuck-${index}`), `stuck-${index}`, 100)));
  }
  const after = await leasesOn(sampleConfig('victim-after'), 'victim', 5);
  const { id } = await startBatch(ports, { id: randomUUID(), principal: 'responder', target: { kind: 'all' } });
  const running = runBatch(ports, id, newPool());

  await eventually(async () => {
    for (const own of [...before, ...after]) {
      expect(await stateOf(own)).toBe('REVOKED');
    }
  });
  expect((await memory.batches.get(id))?.endTime).toBeUndefined();
  letGo.resolve();
  await running;
  for (const lease of hanging) {
    expect(await stateOf(lease)).toBe('REVOKED');
  }
  expect((await memory.batches.get(id))?.endTime).toBeDefined();
});

test.each<[target: 'all' | 'principal', batches: number]>([
  ['all', 1],
  ['all', 4],
  ['principal', 1],
])('hundreds of leases that hang are seldom looked at by batches of %s (%i)', async (kind, count) => {
  const principal = `stuck-${kind}-${count}`;
  const hanging = await leasesOn(sampleConfig(principal), principal, 400);
  const target: BatchTarget = kind === 'principal' ? { kind, principal } : { kind: 'all' };
  const pool = newPool();
  const batches: string[] = [];
  for (let index = 0; index < count; index++) {
    batches.push((await startBatch(ports, { id: randomUUID(), principal: 'responder', target })).id);
  }
  const looks = vi.spyOn(memory.configs, 'getAccess');
  const reads = vi.spyOn(memory.leases, 'list');
  const running = Promise.all(batches.map((id) => runBatch(ports, id, pool)));
  const passes = () => reads.mock.calls.filter(([{ before }]) => before === undefined).length;
  await eventually(async () => expect(passes()).toBeGreaterThan(20 * count));
  expect(looks.mock.calls.length).toBeLessThan(1_500);
  expect(new Set(reads.mock.calls.map(([query]) => query.principal))).toEqual(
    new Set([kind === 'principal' ? principal : undefined]),
  );
  looks.mockRestore();
  reads.mockRestore();
  letGo.resolve();
  await running;
  for (const lease of hanging) {
    expect(await stateOf(lease)).toBe('REVOKED');
  }
});
