import { expect, test } from 'vitest';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { sweep } from '../../src/shared/leases/sweep.ts';
import { active, ended, revoking, START, sampleConfig, sampleLease } from '../contract/samples.ts';
import { RETENTION_MS } from '../contract/stores.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

/** Ports with a lease that ended, and one that is overdue, as they are once the retention of the first is over. */
async function portsLongAfter() {
  let now = START;
  const ports = memoryPorts(() => now);
  const config = sampleConfig('blue');
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const [old, live] = [sampleLease(config), sampleLease(config)];
  await ports.leases.record(old);
  await ports.leases.record(live);
  await ports.leases.save(active(live));
  await ports.leases.save(revoking(old));
  await ports.leases.save(ended(revoking(old)));
  now += RETENTION_MS;
  return { ports, old, live };
}

test('a sweep forgets leases that were kept for their time, though none ends any more', async () => {
  const { ports, old, live } = await portsLongAfter();
  await sweep(ports);
  expect(await ports.leases.get(old.id)).toBeUndefined();
  expect(await ports.leases.get(live.id)).toBeDefined();
});

test('it does so also where the queue takes no alarms, as in a Redis whose memory is used up', async () => {
  const { ports, old } = await portsLongAfter();
  ports.alarm.move = () => Promise.reject(new Unavailable('STORE_UNAVAILABLE', 'Redis refuses writes'));
  await expect(sweep(ports)).rejects.toThrow('Redis refuses writes');
  expect(await ports.leases.get(old.id)).toBeUndefined();
});
