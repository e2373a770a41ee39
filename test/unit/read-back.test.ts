import { expect, test } from 'vitest';
import { RecordDamaged } from '../../src/shared/domain/errors.ts';
import { marksOf } from '../../src/shared/domain/marks.ts';
import { ReadBack } from '../../src/shared/leases/read-back.ts';
import { sampleConfig, sampleLease } from '../contract/samples.ts';
import { INSTALLATION, memoryPorts } from '../fakes/memory-ports.ts';

const DAY_MS = 86_400_000;

test('an orphan that waits for its finalizers does not keep the others standing', async () => {
  const ports = memoryPorts(() => Date.now() + DAY_MS);
  const config = sampleConfig('blue');
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const server = ports.clusters.server(config.access.url);
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

test('an object of a lease whose record is damaged goes like those that are forgotten, and keeps no other standing', async () => {
  const ports = memoryPorts(() => Date.now() + DAY_MS);
  const config = sampleConfig('blue');
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const server = ports.clusters.server(config.access.url);
  const leases = [1, 2].map(() => sampleLease(config));
  for (const lease of leases) {
    const account = { kind: 'ServiceAccount', namespace: 'one', name: `orphan-of-${lease.id}` } as const;
    server.add(account, marksOf(lease, INSTALLATION));
  }
  const [damaged] = leases;
  ports.leases.get = async (id) => {
    if (id === damaged?.id) {
      throw new RecordDamaged('lease', id);
    }
    return undefined;
  };

  expect(await new ReadBack(ports).run()).toBe(2);
  expect(server.objects).toEqual([]);
});
