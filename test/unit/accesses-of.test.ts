import { expect, test } from 'vitest';
import { revoke } from '../../src/shared/leases/revoke.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { active, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

test('a lease whose access is lost is not "taken down" on the cluster that its config has gone to', async () => {
  const ports: Ports = memoryPorts();
  const before = sampleConfig('blue');
  await ports.configs.keepAccess(before.access);
  await ports.configs.create(before);
  const pending = sampleLease(before);
  await ports.leases.record(pending);
  const lease = active(pending);
  await ports.leases.save(lease);
  const { access } = sampleConfig('blue', { uid: before.uid });
  const after = { ...before, version: 2, access: { ...before.access, id: access.id, url: 'https://elsewhere.test' } };
  await ports.configs.keepAccess(after.access);
  await ports.configs.replace(after);
  const { getAccess } = ports.configs;
  ports.configs.getAccess = async (id, uid) =>
    id === lease.accessId ? undefined : getAccess.call(ports.configs, id, uid);

  await expect(revoke(ports, lease, 'REVOKED')).rejects.toMatchObject({ reason: 'STORED_SECRET_DAMAGED' });
  expect(await ports.leases.get(lease.id)).toMatchObject({
    state: 'REVOKING',
    lastError: expect.stringContaining('not in the store'),
  });
});
