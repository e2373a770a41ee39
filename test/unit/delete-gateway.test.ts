import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { deleteGateway } from '../../src/shared/gateways/delete-gateway.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { active, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

const GATEWAY = { name: 'edge', uid: 'uid-of-edge', createTime: 0 };
const GENTLY = { force: false };

test('a gateway is not deleted while a lease lives whose config has gone elsewhere', async () => {
  const ports = memoryPorts();
  await ports.gateways.create(GATEWAY);
  const { name, uid } = GATEWAY;
  const before = sampleConfig('blue', {
    uid: 'blue-uid',
    access: { kind: 'gateway', id: randomUUID(), configUid: 'blue-uid', gateway: { name, uid } },
  });
  await ports.configs.keepAccess(before.access);
  await ports.configs.create(before);
  const lease = sampleLease(before);
  await ports.leases.record(lease);
  await ports.leases.save(active(lease));
  const after = sampleConfig('blue', { uid: before.uid, version: 2 });
  await ports.configs.keepAccess(after.access);
  await ports.configs.replace(after);

  await expect(deleteGateway(ports, GATEWAY, GENTLY)).rejects.toMatchObject({
    reason: 'GATEWAY_IN_USE',
    message: expect.stringContaining(lease.id),
  });
  await deleteGateway(ports, GATEWAY, { force: true });
  expect(await ports.gateways.get(name)).toBeUndefined();
});

test('a gateway is not deleted while a config cannot be read, which may name it', async () => {
  const ports: Ports = memoryPorts();
  const { name, uid, version, labels, access } = sampleConfig('blue');
  const problem = 'sealed under a key that is not there yet';
  ports.configs.list = async () => [{ name, uid, version, labels, accessId: access.id, problem }];
  await ports.gateways.create(GATEWAY);

  await expect(deleteGateway(ports, GATEWAY, GENTLY)).rejects.toMatchObject({
    reason: 'GATEWAY_IN_USE',
    message: expect.stringContaining('"blue" may name'),
  });
  await deleteGateway(ports, GATEWAY, { force: true });
});

test('a stream that is not let go of is not waited for without end', async () => {
  const ports = memoryPorts();
  await ports.gateways.create(GATEWAY);
  await ports.gateways.keepToken(GATEWAY, 'hash', 60_000);
  const identity = await ports.gateways.enrol('hash', { id: randomUUID(), publicKey: 'key' });
  await ports.gatewayLinks.announce({
    id: randomUUID(),
    gateway: GATEWAY,
    identityId: identity?.id ?? '',
    instanceId: randomUUID(),
    version: '1',
    connectTime: 0,
    server: 'gone:1',
  });
  let sleptMs = 0;
  const sleep = async (ms: number) => {
    sleptMs += ms;
  };
  const clock = { now: Date.now, sleep };

  await expect(deleteGateway({ ...ports, clock }, GATEWAY, GENTLY)).rejects.toMatchObject({
    reason: 'GATEWAY_STILL_ATTACHED',
  });
  expect(sleptMs).toBe(5_000);
});
