import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import type { AttachResponse } from '../../src/gen/leasehold/tunnel/v1/tunnel_service.ts';
import { serveAttach } from '../../src/server/relay/attach.ts';
import type { GatewayLink } from '../../src/shared/domain/gateway.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { GatewayRelay } from '../../src/shared/relay/gateway-relay.ts';
import { attachText, signText } from '../../src/shared/tunnel/signed-texts.ts';
import { TunnelClient, type TunnelHandlers, tunnelService } from '../../src/shared/tunnel/tunnel-service.ts';
import { MemoryGatewayLinks } from '../fakes/memory-gateway-links.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';
import { eventually } from '../support/eventually.ts';

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
  readonly asked = Promise.withResolvers<void>();

  override async announce(link: GatewayLink): Promise<boolean> {
    this.asked.resolve();
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
      const serving = serveAttach({ ports, relay, address: 'here:1', bearer: new Secret('bearer') }, call);
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
  return { port, relay, gatewayLinks, calls, ends, privateKey, identityId: identity?.id ?? expect.fail() };
}

type Served = Awaited<ReturnType<typeof serve>>;

/** An agent that has sent its proof. */
async function prove({ port, privateKey, identityId }: Served) {
  const client = new TunnelClient(`127.0.0.1:${port}`, credentials.createInsecure());
  closers.push(() => client.close());
  const call = client.attach();
  call.on('error', () => undefined);
  const hello = { identityId, instanceId: randomUUID(), version: '1' };
  call.write({ kind: { $case: 'hello', value: hello } });
  const [{ kind }] = (await once(call, 'data')) as [AttachResponse];
  const nonce = kind?.$case === 'challenge' ? kind.value.nonce : expect.fail('no challenge');
  call.write({ kind: { $case: 'proof', value: { signature: signText(attachText(hello, nonce), privateKey) } } });
  return call;
}

test('an agent whose stream ends while it is let in is not taken for one that is connected', async () => {
  const served = await serve();
  const gate = Promise.withResolvers<void>();
  served.gatewayLinks.gate = gate.promise;
  const call = await prove(served);
  await served.gatewayLinks.asked.promise;
  call.cancel();
  await eventually(async () => expect(served.calls[0]?.cancelled).toBe(true));
  gate.resolve();
  await served.ends[0];
  expect(served.relay.local.waysTo(GATEWAY.uid)).toEqual([]);
  expect(await served.gatewayLinks.of(GATEWAY)).toEqual([]);
});
