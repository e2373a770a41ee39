import { expect, test } from 'vitest';
import { LeaseholdError, Unavailable } from '../../src/shared/domain/errors.ts';
import { adoptLeases } from '../../src/shared/leases/adopt-leases.ts';
import { leaveNewestAccess } from '../../src/shared/leases/leave-newest-access.ts';
import { active, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

// Where a change of a config fails half-way, its new access is dropped: no lease may be given it after that.

const LEASES = 6;

test.each([
  ['leases whose access was lost are adopted', adoptLeases, { isLost: true }],
  ['leases are left with the newest access', leaveNewestAccess, { isLost: false }],
])('%s: what fails ends only when no save is under way', async (_, repoint, { isLost }) => {
  const ports = memoryPorts();
  const config = sampleConfig('blue');
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  for (let made = 0; made < LEASES; made++) {
    const pending = sampleLease(config);
    await ports.leases.record(pending);
    await ports.leases.save(active(pending));
  }
  const { access } = sampleConfig('repaired', { uid: config.uid });
  await ports.configs.keepAccess(access);
  const { getAccess } = ports.configs;
  ports.configs.getAccess = async (id, uid) =>
    isLost && id === config.access.id ? undefined : getAccess.call(ports.configs, id, uid);

  const { save } = ports.leases;
  let calls = 0;
  let underWay = 0;
  ports.leases.save = async (lease) => {
    calls += 1;
    if (calls === 1) {
      throw new Unavailable('STORE_UNAVAILABLE', 'the store is away');
    }
    underWay += 1;
    await new Promise((resolve) => setImmediate(resolve));
    underWay -= 1;
    return save.call(ports.leases, lease);
  };
  await expect(repoint(ports, { ...config, access })).rejects.toBeInstanceOf(LeaseholdError);
  expect({ calls, underWay }).toEqual({ calls: LEASES, underWay: 0 });
});
