import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import type { AttachResponse } from '../../src/gen/leasehold/tunnel/v1/tunnel_service.ts';
import { serveAttach } from '../../src/server/relay/attach.ts';
import type { GatewayLink } from '../../src/shared/domain/gateway.ts';
import { noteFailure } from '../../src/shared/domain/lease.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { GatewayRelay } from '../../src/shared/relay/gateway-relay.ts';
import { attachText, signText } from '../../src/shared/tunnel/signed-texts.ts';
import { TunnelClient, type TunnelHandlers, tunnelService } from '../../src/shared/tunnel/tunnel-service.ts';
import { revoking, sampleConfig, sampleLease } from '../contract/samples.ts';
import { MemoryGatewayLinks } from '../fakes/memory-gateway-links.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';
import { eventually } from '../support/eventually.ts';

const NO_TLS = Buffer.of();

const GATEWAY = { name: 'edge', uid: 'uid-of-edge', createTime: 0 };

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) {
    close();
  }
});

/** Links, each announcement of which waits. */
class SlowLinks extends MemoryGatewayLinks {
  gate: Promise<void> = Promise.resolve();
  asked = 0;

  override async announce(link: GatewayLink): Promise<boolean> {
    this.asked += 1;
    await this.gate;
    return super.announce(link);
  }
}

/** A server for agents of one gateway, whose stores are in memory, and a key that is enrolled. */
async function serve() {
  const inMemory = memoryPorts();
  const { gateways } = inMemory;
  const gatewayLinks = new SlowLinks(gateways);
  const ports: Ports = {
    ...inMemory,
    gatewayLinks,
    clock: { now: Date.now, sleep: async (_ms, signal) => void (signal && (await once(signal, 'abort'))) },
  };
  const relay = new GatewayRelay(gatewayLinks, { wayTo: () => expect.fail('there is no other server') });
  const calls: { cancelled: boolean }[] = [];
  const ends: Promise<void>[] = [];
  const server = new Server();
  const handlers: TunnelHandlers = {
    enrol: () => undefined,
    forward: () => undefined,
    attach: (call) => {
      const serving = serveAttach(
        { ports, relay, address: 'here:1', certificates: () => [NO_TLS], bearers: () => [], proven: () => undefined },
        call,
      );
      calls.push(call);
      ends.push(serving.catch((error) => void call.emit('error', error)));
    },
  };
  server.addService(tunnelService, handlers);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  closers.push(() => server.forceShutdown());

  await gateways.create(GATEWAY);
  await gateways.keepToken(GATEWAY, 'hash', 60_000);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const identity = await gateways.enrol('hash', { id: randomUUID(), publicKey: der.toString('base64') });
  return { port, relay, ports, gatewayLinks, calls, ends, privateKey, identityId: identity?.id ?? expect.fail() };
}

type Served = Awaited<ReturnType<typeof serve>>;

/** An agent that has sent its proof. */
async function prove({ port, privateKey, identityId }: Served, instanceId = randomUUID()) {
  const client = new TunnelClient(`127.0.0.1:${port}`, credentials.createInsecure());
  closers.push(() => client.close());
  const call = client.attach();
  call.on('error', () => undefined);
  const hello = { identityId, instanceId, version: '1' };
  call.write({ kind: { $case: 'hello', value: hello } });
  const [{ kind }] = (await once(call, 'data')) as [AttachResponse];
  const nonce = kind?.$case === 'challenge' ? kind.value.nonce : expect.fail('no challenge');
  call.write({
    kind: { $case: 'proof', value: { signature: signText(attachText(hello, NO_TLS, nonce), privateKey) } },
  });
  return call;
}

test('an agent whose stream ends while it is let in is not taken for one that is connected', async () => {
  const served = await serve();
  const gate = Promise.withResolvers<void>();
  served.gatewayLinks.gate = gate.promise;
  const call = await prove(served);
  await eventually(async () => expect(served.gatewayLinks.asked).toBe(1));
  call.cancel();
  await eventually(async () => expect(served.calls[0]?.cancelled).toBe(true));
  gate.resolve();
  await served.ends[0];
  expect(served.relay.local.waysTo(GATEWAY.uid)).toEqual([]);
  expect(await served.gatewayLinks.of(GATEWAY)).toEqual([]);
});

/** The id of a lease whose taking down has failed, and that is tried again in a while. */
async function waitingLease({ ports }: Served): Promise<string> {
  const { name, uid } = GATEWAY;
  const config = sampleConfig('blue', {
    uid: 'blue-uid',
    access: { kind: 'gateway', id: randomUUID(), configUid: 'blue-uid', gateway: { name, uid } },
  });
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const lease = sampleLease(config);
  await ports.leases.record(lease);
  const failed = noteFailure(revoking(lease), {
    lastError: 'away',
    nextTryTime: Date.now() + 300_000,
    stalledAfter: 9,
  });
  await ports.leases.save({ ...failed, version: 2 });
  return lease.id;
}

const isTriedNow = async ({ ports }: Served, id: string) =>
  expect((await ports.leases.get(id))?.nextTryTime).toBeLessThanOrEqual(Date.now());

test('leases that waited are taken down when two agents come back at the same moment', async () => {
  const served = await serve();
  const id = await waitingLease(served);
  const gate = Promise.withResolvers<void>();
  served.gatewayLinks.gate = gate.promise;
  await Promise.all([prove(served), prove(served)]);
  await eventually(async () => expect(served.gatewayLinks.asked).toBe(2));
  gate.resolve();
  await eventually(() => isTriedNow(served, id));
});

test('leases that waited are taken down when an agent comes back whose lost stream is not yet forgotten', async () => {
  const served = await serve();
  const id = await waitingLease(served);
  const instanceId = randomUUID();
  const ids = { id: randomUUID(), identityId: served.identityId, instanceId };
  await served.gatewayLinks.announce({ ...ids, gateway: GATEWAY, version: '1', connectTime: 0, server: 'killed:1' });
  await prove(served, instanceId);
  await eventually(() => isTriedNow(served, id));
});
