import { expect, test } from 'vitest';
import { Aborted, AlreadyExists, configIsBeingDeleted, Unavailable } from '../../src/shared/domain/errors.ts';
import { configIsFull, isTooEarly, principalIsFull } from '../../src/shared/domain/lease-limits.ts';
import { issueLease } from '../../src/shared/leases/issue.ts';
import { sampleConfig } from '../contract/samples.ts';
import { GENEROUS } from '../contract/stores.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

// Each alarm is a job in Redis until the lease would have ended: those of refused issues would have no limit.

const REQUEST = { config: 'dynamic', audiences: [], principal: 'caller', ttlSeconds: 1 };

test.each([
  ['its config has as many leases as it may', configIsFull('dynamic', GENEROUS)],
  ['its caller has as many leases as they may', principalIsFull('caller', GENEROUS)],
  ['its caller issues too fast', isTooEarly('caller', GENEROUS, 1)],
  ['its config is being deleted', configIsBeingDeleted('dynamic')],
  ['its config went away', new Aborted('CONFIG_CHANGED', 'deleted')],
  ['its request_id is of another request', new AlreadyExists('REQUEST_ID_REUSED', 'used')],
  ['Redis refuses writes', new Unavailable('STORE_UNAVAILABLE', 'read-only')],
])('an issue that is refused because %s sets no alarm', async (_, refusal) => {
  const ports = memoryPorts();
  ports.leases.record = () => Promise.reject(refusal);
  await expect(issueLease(ports, sampleConfig('dynamic'), REQUEST)).rejects.toBe(refusal);
  expect(ports.alarm.nextAt()).toBeUndefined();
});

test('one that is issued sets its alarm', async () => {
  const ports = memoryPorts();
  const config = sampleConfig('dynamic');
  ports.clusters.server('https://cluster.test');
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const { lease } = await issueLease(ports, config, REQUEST);
  expect(ports.alarm.ringsAt(lease.id)).toBe(lease.expireTime);
});
