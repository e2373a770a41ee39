import { expect, test } from 'vitest';
import { marksOf } from '../../src/shared/domain/marks.ts';
import { ReadBack } from '../../src/shared/leases/read-back.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { sampleConfig, sampleLease } from '../contract/samples.ts';
import { MemoryAlarm } from '../fakes/memory-alarm.ts';
import { MemoryBatchStore } from '../fakes/memory-batch-store.ts';
import { MemoryClusters } from '../fakes/memory-clusters.ts';
import { MemoryConfigStore } from '../fakes/memory-config-store.ts';
import { MemoryGatewayLinks } from '../fakes/memory-gateway-links.ts';
import { MemoryGatewayStore } from '../fakes/memory-gateway-store.ts';
import { MemoryLeaseStore } from '../fakes/memory-lease-store.ts';
import { MemoryRecords } from '../fakes/memory-records.ts';
import { POLICY } from '../model/policy.ts';

const INSTALLATION = 'test';
const DAY_MS = 86_400_000;

function portsWith(clusters: MemoryClusters): Ports {
  const now = () => Date.now() + DAY_MS;
  const records = new MemoryRecords(now);
  const gateways = new MemoryGatewayStore(now);
  return {
    configs: new MemoryConfigStore(records),
    leases: new MemoryLeaseStore(records, DAY_MS),
    batches: new MemoryBatchStore(records),
    gateways,
    gatewayLinks: new MemoryGatewayLinks(gateways),
    alarm: new MemoryAlarm(),
    clusters,
    log: { info() {}, warn() {} },
    clock: { now, sleep: () => Promise.reject(new Error('nothing here waits')) },
    random: Math.random,
    policy: POLICY,
    installation: INSTALLATION,
  };
}

test('an orphan that waits for its finalizers does not keep the others standing', async () => {
  const clusters = new MemoryClusters(Date.now);
  const ports = portsWith(clusters);
  const config = sampleConfig('blue');
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const server = clusters.server(config.access.url);
  const [stuck, ...others] = [1, 2, 3, 4].map((count) =>
    server.add(
      { kind: 'ServiceAccount', namespace: 'one', name: `orphan-${count}` },
      marksOf(sampleLease(config), INSTALLATION),
    ),
  );
  if (stuck) {
    server.setFinalizers(stuck, ['test.leasehold.dev/wait']);
  }
  const readBack = new ReadBack(ports);

  expect(await readBack.run()).toBe(others.length);
  expect(server.objects).toEqual([stuck]);
  if (stuck) {
    server.setFinalizers(stuck, []);
  }
  await readBack.run();
  expect(server.objects).toEqual([]);
});
