import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { findConfig } from '../../src/shared/leases/find-config.ts';
import { issueLease } from '../../src/shared/leases/issue.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { createRuntime } from '../../src/shared/runtime.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { eventually } from '../support/eventually.ts';
import { setUpDynamic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// The sweep finds what a server that died in the middle of issuing left behind.

/** It died so long ago: none of its calls can be under way any more. */
const AGO_MS = 6 * 60 * 1000;

let world: World;
beforeAll(async () => {
  world = await openWorld({ LEASEHOLD_SWEEP_INTERVAL: '1' });
  await world.configs.createConfig({ config: (await setUpDynamic(world, 'dynamic')).config });
});
afterAll(() => world.stop());

const ownObjects = () => world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION);

test('a lease that its server left half-issued is undone long before its planned end', async () => {
  const runtime = await createRuntime(world.settings, createLogger('test', 'silent'));
  const { clusters } = runtime.ports;
  await world.stopWorker();
  const dying: Ports = {
    ...runtime.ports,
    clock: { ...runtime.ports.clock, now: () => Date.now() - AGO_MS },
    clusters: {
      at: (access, use) => Object.assign(clusters.at(access, use), { mintToken: () => new Promise(() => undefined) }),
    },
  };
  void issueLease(dying, await findConfig(runtime.ports, 'dynamic'), {
    config: 'dynamic',
    audiences: [],
    principal: 'test',
    ttlSeconds: 3600,
  });
  await eventually(async () => expect(await ownObjects()).toHaveLength(2));
  await world.startWorker();

  await eventually(async () => expect(await ownObjects()).toEqual([]));
  await eventually(async () => {
    const [lease] = (await world.leases.listLeases({ config: 'dynamic', pageSize: 1 })).leases;
    expect(lease).toMatchObject({ principal: 'test', state: LeaseState.LEASE_STATE_FAILED });
  });
  await runtime.close();
});
