import { Client } from '@grpc/grpc-js';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import {
  IssueLeaseRequest,
  IssueLeaseResponse,
  LeaseServiceDefinition,
} from '../../src/gen/leasehold/v1/lease_service.ts';
import { eventually } from '../support/eventually.ts';
import { inTime, TooSlow } from '../support/in-time.ts';
import { rejectionOf } from '../support/rejection.ts';
import { secureChannel } from '../support/security.ts';
import { directAccess, seconds, setUpDynamic } from '../support/set-ups.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { openWorld, type World } from '../support/world.ts';

// What happens to a lease while the cluster takes its time to make it.

let world: World;
let proxy: SlowProxy;
beforeAll(async () => {
  world = await openWorld();
  proxy = await startSlowProxy(world.cluster.url);
  const { config, requester } = await setUpDynamic(world, 'slow');
  const access = directAccess({ ...world.cluster, url: proxy.url }, requester.token);
  await world.configs.createConfig({ config: { ...config, access } });
});
afterAll(async () => {
  await world.stop();
  proxy.stop();
});

const installation = () => world.settings.LEASEHOLD_INSTALLATION;

/** The id of the one lease that is being issued, once it is recorded. */
function pendingLease(): Promise<string> {
  return eventually(
    async () => {
      const { leases } = await world.leases.listLeases({ states: [LeaseState.LEASE_STATE_PENDING] });
      expect(leases).toHaveLength(1);
      return leases[0]?.id ?? '';
    },
    { everyMs: 10 },
  );
}

async function expectNothingStays(): Promise<void> {
  await eventually(async () => {
    const { leases } = await world.leases.listLeases({});
    expect(leases.every(({ endTime }) => endTime !== undefined)).toBe(true);
    expect(await world.admin.leaseholdObjects(installation())).toEqual([]);
  });
}

test('a lease whose time passes while it is being issued is undone, and its caller is told', async () => {
  proxy.setDelay(700);
  const call = rejectionOf(world.leases.issueLease({ config: 'slow', ttl: seconds(1) }));
  expect(await call).toMatchObject({ code: Status.ABORTED, reason: 'LEASE_ENDED_MEANWHILE', retry: true });
  proxy.setDelay(0);

  await expectNothingStays();
});

test('a lease is not revoked while it is being issued', async () => {
  const letGo = proxy.hold();
  const issued = world.leases.issueLease({ config: 'slow' });
  const rejection = await rejectionOf(world.leases.revokeLease({ id: await pendingLease() }));
  expect(rejection).toMatchObject({ code: Status.ABORTED, reason: 'LEASE_BEING_ISSUED', retry: true });
  letGo();

  const { lease } = await issued;
  await world.leases.revokeLease({ id: lease?.id ?? '' });
  await expectNothingStays();
});

test.each([
  ['the service account', 0],
  ['its binding and token', 1],
])('a caller who gives up while the cluster makes %s gets no lease', async (_, objectsBefore) => {
  const id = await inTime(1_000, async (delayMs) => {
    proxy.setDelay(delayMs);
    const caller = new AbortController();
    const issuing = world.leases.issueLease({ config: 'slow' }, { signal: caller.signal }).then(
      () => 'issued',
      (error: Error) => error.message,
    );
    const pending = await pendingLease();
    const made = await eventually(
      async () => {
        const objects = await world.admin.leaseholdObjects(installation());
        expect(objects.length).toBeGreaterThanOrEqual(objectsBefore);
        return objects.length;
      },
      { everyMs: 10 },
    );
    caller.abort();
    const outcome = await issuing;
    proxy.setDelay(0);
    if (made > objectsBefore || outcome === 'issued') {
      await eventually(() => world.leases.revokeLease({ id: pending }));
      await expectNothingStays();
      throw new TooSlow('the caller gave up too late');
    }
    expect(outcome).toContain('aborted');
    return pending;
  });

  await eventually(async () =>
    expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_FAILED }),
  );
  await expectNothingStays();
});

test('a caller whose deadline passes gets no lease', async () => {
  proxy.setDelay(300);
  const { credentials, options } = secureChannel();
  const client = new Client(world.address, credentials, options);
  const status = await new Promise((resolve) =>
    client.makeUnaryRequest(
      `/${LeaseServiceDefinition.fullName}/${LeaseServiceDefinition.methods.issueLease.name}`,
      (request: IssueLeaseRequest) => Buffer.from(IssueLeaseRequest.encode(request).finish()),
      IssueLeaseResponse.decode,
      IssueLeaseRequest.fromPartial({ config: 'slow' }),
      { deadline: Date.now() + 400 },
      (error) => resolve(error?.code),
    ),
  );
  client.close();
  proxy.setDelay(0);

  expect(status).toBe(Status.DEADLINE_EXCEEDED);
  await expectNothingStays();
});
