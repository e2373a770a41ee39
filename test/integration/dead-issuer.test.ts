import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { expire } from '../../src/shared/leases/expire.ts';
import { findConfig } from '../../src/shared/leases/find-config.ts';
import { findLease } from '../../src/shared/leases/find-lease.ts';
import { issueLease } from '../../src/shared/leases/issue.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { createRuntime, type Runtime } from '../../src/shared/runtime.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { eventually } from '../support/eventually.ts';
import { setUpDynamic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// What becomes of a lease whose server stops in the middle of issuing it: for ever, or for longer than any call may take.

const LATER_MS = 6 * 60 * 1000;

let world: World;
let runtime: Runtime;
beforeAll(async () => {
  world = await openWorld();
  runtime = await createRuntime(world.settings, createLogger('test', 'silent'));
  await world.configs.createConfig({ config: (await setUpDynamic(world, 'dynamic')).config });
});
afterAll(async () => {
  await runtime.close();
  await world.stop();
});

/** The real ports, but for creations in the cluster, which wait. */
function portsWaitingFor(wait: Promise<void>): Ports {
  const { clusters } = runtime.ports;
  return {
    ...runtime.ports,
    clusters: {
      at(access, use) {
        const cluster = clusters.at(access, use);
        const create = cluster.create.bind(cluster);
        cluster.create = async (...args) => {
          await wait;
          return create(...args);
        };
        return cluster;
      },
    },
  };
}

function pendingLease() {
  return eventually(async () => {
    const { leases } = await world.leases.listLeases({ states: [LeaseState.LEASE_STATE_PENDING] });
    expect(leases).toHaveLength(1);
    return leases[0]?.id ?? '';
  });
}

function later(): Ports {
  const { clock } = runtime.ports;
  return { ...runtime.ports, clock: { ...clock, now: () => Date.now() + LATER_MS } };
}

test('its request_id is free again once the server must be dead', async () => {
  const request = { config: 'dynamic', audiences: [], principal: 'caller', requestId: randomUUID() };
  const config = await findConfig(runtime.ports, 'dynamic');
  void issueLease(portsWaitingFor(new Promise(() => undefined)), config, request);
  const id = await pendingLease();

  const { lease } = await issueLease(later(), config, request);
  expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_FAILED });
  expect(lease.id).not.toBe(id);
  await world.leases.revokeLease({ id: lease.id });
});

test('a server that comes back after its lease was taken down removes what it still makes', async () => {
  const gate = Promise.withResolvers<void>();
  const issuing = issueLease(portsWaitingFor(gate.promise), await findConfig(runtime.ports, 'dynamic'), {
    config: 'dynamic',
    ttlSeconds: 60,
    audiences: [],
    principal: 'caller',
  });
  const id = await pendingLease();
  await expire(later(), await findLease(runtime.ports, id));
  expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_FAILED });
  gate.resolve();

  await expect(issuing).rejects.toMatchObject({ reason: 'LEASE_ENDED_MEANWHILE' });
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});
