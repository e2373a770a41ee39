import { expect, test } from 'vitest';
import { deleteConfig } from '../../src/shared/configs/delete-config.ts';
import { active, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

test('leases of another config that has the name by now are left alone', async () => {
  const ports = memoryPorts();
  const [found, other] = [sampleConfig('blue'), sampleConfig('blue')];
  await ports.configs.keepAccess(other.access);
  await ports.configs.create(other);
  const lease = sampleLease(other);
  await ports.leases.record(lease);
  await ports.leases.save(active(lease));

  await expect(deleteConfig(ports, found, { etag: '', revokeLeases: true })).rejects.toMatchObject({
    reason: 'CONFIG_CHANGED',
  });
  expect(await ports.leases.get(lease.id)).toMatchObject({ state: 'ACTIVE' });
});
