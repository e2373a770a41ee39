import { expect, test } from 'vitest';
import { deleteConfig } from '../../src/shared/configs/delete-config.ts';
import type { Access } from '../../src/shared/domain/config.ts';
import type { Cluster } from '../../src/shared/ports/cluster.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { active, START, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';
import { VirtualClock } from '../fakes/virtual-clock.ts';

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

/** A config with an ACTIVE lease on it. */
async function busyConfig(ports: Ports) {
  const config = sampleConfig('blue');
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const lease = sampleLease(config);
  await ports.leases.record(lease);
  await ports.leases.save(active(lease));
  return config;
}

const BEING_DELETED = { reason: 'CONFIG_BEING_DELETED' };

test('it ends however soon a lease is issued after those before are taken down', async () => {
  const ports = memoryPorts();
  const config = await busyConfig(ports);
  const refusals: unknown[] = [];
  const remove = ports.configs.delete.bind(ports.configs);
  ports.configs.delete = async (stored) => {
    await ports.leases.record(sampleLease(config)).catch((error: unknown) => refusals.push(error));
    await remove(stored);
  };
  await deleteConfig(ports, config, { etag: '', revokeLeases: true });
  expect(refusals).toMatchObject([BEING_DELETED]);
  expect(await ports.configs.get('blue')).toBeUndefined();
});

/** Ports of a cluster that takes its time to remove an object. */
function slowPorts(removeMs: number) {
  const clock = new VirtualClock(START);
  const ports = memoryPorts(clock.now);
  const clusters = {
    at(access: Access): Cluster {
      const cluster = ports.clusters.at(access);
      cluster.remove = () => clock.sleep(removeMs);
      return cluster;
    },
  };
  return { clock, ports: { ...ports, clock, clusters } };
}

test('no lease is issued for as long as it takes, and a lease is again where its server died', async () => {
  const { clock, ports } = slowPorts(120_000);
  const config = await busyConfig(ports);
  const issue = () => ports.leases.record(sampleLease(config));
  const deletion = deleteConfig(ports, config, { etag: '', revokeLeases: true });
  for (let minute = 0; minute < 2; minute++) {
    await clock.advance(59_000);
    await expect(issue()).rejects.toMatchObject(BEING_DELETED);
  }
  await clock.advance(10_000);
  await deletion;

  const later = await busyConfig(ports);
  await ports.configs.markDeletion(later, 'a server that died', 30_000);
  await expect(ports.leases.record(sampleLease(later))).rejects.toMatchObject(BEING_DELETED);
  await clock.advance(30_001);
  expect(await ports.leases.record(sampleLease(later))).toBeUndefined();
});

test('where leases are not taken down, the config stays and takes leases at once', async () => {
  const ports = memoryPorts();
  const config = await busyConfig(ports);
  ports.clusters.server(config.access.url).revokedTokens.add(config.access.token.reveal());
  const [lease] = await ports.leases.list({
    config: 'blue',
    principal: undefined,
    states: [],
    before: undefined,
    limit: 1,
  });
  await expect(deleteConfig(ports, config, { etag: '', revokeLeases: true })).rejects.toMatchObject({
    reason: 'LEASES_NOT_REVOKED',
    message: expect.stringContaining(lease?.id ?? 'none'),
  });
  expect(await ports.leases.record(sampleLease(config))).toBeUndefined();
});
