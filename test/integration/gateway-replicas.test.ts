import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../support/eventually.ts';
import { issueBriefly } from '../support/in-time.ts';
import { rejectionOf } from '../support/rejection.ts';
import {
  type BehindGateway,
  type GatewayBed,
  openGatewayBed,
  setUpBehindGateway,
  untilLeaseIs,
} from '../support/transports/gateway-bed.ts';
import type { InstalledServer } from '../support/transports/gateway-installation.ts';
import { connectToRelay } from '../support/transports/tunnel-client.ts';

// Several servers: an agent holds a stream to one of them, and all processes reach it there.

let bed: GatewayBed;
let holder: InstalledServer;
let gateway: BehindGateway;
beforeAll(async () => {
  bed = await openGatewayBed();
  holder = await bed.installation.startServer();
  gateway = await setUpBehindGateway(bed, 'elsewhere', { servers: [holder.relayAddress] });
});
afterAll(() => bed[Symbol.asyncDispose]());

test('a gateway that is attached to one server is seen and used by another, and by the worker', async () => {
  const { name } = gateway;
  expect(bed.server.relayAddress).not.toBe(holder.relayAddress);
  expect(await bed.client.gateways.getGateway({ name })).toMatchObject({
    agents: [{ serverAddress: holder.relayAddress }],
  });
  const { lease } = await issueBriefly(bed.client, name);
  const revoked = await bed.client.leases.issueLease({ config: name });
  await bed.client.leases.revokeLease({ id: revoked.lease?.id ?? '' });
  await untilLeaseIs(bed.client, lease?.id ?? '', LeaseState.LEASE_STATE_EXPIRED);
  expect(bed.server.process.logs.map(({ msg }) => msg)).not.toContain('gateway attached');
});

test('many calls at once go through one stream', async () => {
  const { name } = gateway;
  const issued = await Promise.all(Array.from({ length: 40 }, () => bed.client.leases.issueLease({ config: name })));
  const messages = await Array.fromAsync(
    bed.client.leases.batchRevokeLeases({ target: { $case: 'config', value: name } }),
  );
  expect(messages.at(-1)).toMatchObject({ done: true, revokedCount: issued.length, failedCount: 0 });
});

test.each([
  ['no bearer', undefined],
  ['a wrong bearer', 'Bearer guessed'],
])('a caller with %s is not forwarded', async (_, authorization) => {
  const tunnel = connectToRelay(bed.installation, holder.relayAddress);
  const metadata = new Metadata();
  if (authorization !== undefined) {
    metadata.set('authorization', authorization);
  }
  const call = tunnel.forward(metadata);
  const { promise, resolve } = Promise.withResolvers<ServiceError>();
  const received: unknown[] = [];
  call.on('error', resolve).on('data', (message) => received.push(message));
  const { uid } = await bed.client.gateways.getGateway({ name: gateway.name });
  const open = { target: { $case: 'apiServer', value: {} }, gatewayUid: uid } as const;
  call.write({ frames: { frames: [{ channel: 1, kind: { $case: 'open', value: open } }] } });
  expect(await promise).toMatchObject({ code: status.UNAUTHENTICATED });
  expect(received).toEqual([]);
  tunnel.close();
});

test('a gateway goes to another server when its own stops, and calls go on', async () => {
  const { name } = await setUpBehindGateway(bed, 'wanderer', {
    servers: [holder.relayAddress, bed.server.relayAddress],
  });
  expect(await holder.process.stop()).toBe(0);
  await untilServedBy(name, bed.server.relayAddress);
  await bed.client.leases.issueLease({ config: name });
  const rejection = await rejectionOf(bed.client.leases.issueLease({ config: gateway.name }));
  expect(rejection).toMatchObject({ reason: 'GATEWAY_NOT_CONNECTED', metadata: { gateway: gateway.name } });
});

async function untilServedBy(name: string, serverAddress: string): Promise<void> {
  await eventually(async () =>
    expect((await bed.client.gateways.getGateway({ name })).agents).toMatchObject([{ serverAddress }]),
  );
}
