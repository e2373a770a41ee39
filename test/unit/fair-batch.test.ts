import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Config } from '../../src/shared/domain/config.ts';
import { runBatch, startBatch } from '../../src/shared/leases/batch.ts';
import type { Turns } from '../../src/shared/leases/revoke-matching.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { claimOf } from '../../src/worker/claim-of.ts';
import { Lanes, TURNED_AWAY } from '../../src/worker/lanes.ts';
import { active, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';
import { eventually } from '../support/eventually.ts';

// In a batch of leases of many tenants, those whose deletes hang do not hold up the others.

const memory = memoryPorts();

/** As the worker takes turns. */
const lanes = new Lanes(128, 20);
const turns: Turns = {
  atOnce: 128,
  async run(lease, work) {
    const result = await lanes.run(await claimOf(memory, lease), work);
    return result === TURNED_AWAY ? undefined : result;
  },
};

const letGo = Promise.withResolvers<void>();
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
  const running = runBatch(ports, id, turns);

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
