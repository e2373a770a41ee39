import { randomBytes } from 'node:crypto';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { v4 as uuidv4 } from 'uuid';
import { z } from 'zod';
import type { AttachRequest, AttachResponse } from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';
import { Unauthenticated } from '../../shared/domain/errors.ts';
import type { GatewayIdentity, GatewayLink } from '../../shared/domain/gateway.ts';
import { retryWaiting } from '../../shared/leases/retry-waiting.ts';
import { countAttached } from '../../shared/telemetry/metrics.ts';
import { type Carried, carryAttachOnServer } from '../../shared/tunnel/carry.ts';
import { attachText, isSigned } from '../../shared/tunnel/signed-texts.ts';
import { announceUntil } from './announce-until.ts';
import { nextMessage } from './next-message.ts';
import type { RelayHost } from './relay-host.ts';
import { statusError } from './status-error.ts';

type AttachCall = ServerDuplexStream<AttachRequest, AttachResponse>;

const NONCE_BYTES = 32;

/** Agents that come back in so short a time come back together: what one cannot tell from the other, both do. */
const TOGETHER_MS = 5_000;

const Hello = z.object({ identityId: z.uuid(), instanceId: z.uuid(), version: z.string().max(64) });
type Hello = z.infer<typeof Hello>;

/** Serves an agent's stream until it ends. Throws Unauthenticated or Unavailable where the agent is not let in. */
export async function serveAttach(host: RelayHost, call: AttachCall): Promise<void> {
  const hello = await readHello(call);
  const { gateway, id: identityId } = await requireProof(host, call, hello);
  host.proven(call);
  const link: GatewayLink = {
    id: uuidv4(),
    gateway,
    identityId,
    instanceId: hello.instanceId,
    version: hello.version,
    connectTime: host.ports.clock.now(),
    server: host.address,
  };
  if (!(await host.ports.gatewayLinks.announce(link))) {
    throw refused();
  }
  call.write({ kind: { $case: 'welcome', value: { gateway: gateway.name } } });
  const carried = carryAttachOnServer(call, {});
  call.resume();
  await carryChannels(host, link, carried);
}

async function readHello(call: AttachCall): Promise<Hello> {
  const { kind } = await nextMessage(call);
  const hello = Hello.safeParse(kind?.$case === 'hello' ? kind.value : undefined);
  if (!hello.success) {
    throw new Unauthenticated('IDENTITY_REFUSED', 'the first message is no hello with an identity and an instance id');
  }
  return hello.data;
}

async function requireProof(
  { ports, certificates }: RelayHost,
  call: AttachCall,
  hello: Hello,
): Promise<GatewayIdentity> {
  const nonce = randomBytes(NONCE_BYTES);
  call.write({ kind: { $case: 'challenge', value: { nonce } } });
  const [{ kind }, identity] = await Promise.all([nextMessage(call), ports.gateways.identity(hello.identityId)]);
  const signature = kind?.$case === 'proof' ? kind.value.signature : Buffer.of();
  const publicKey = Buffer.from(identity?.publicKey ?? '', 'base64');
  const isProof = (certificate: Uint8Array) => isSigned(attachText(hello, certificate, nonce), signature, publicKey);
  if (!identity || !certificates().some(isProof)) {
    throw refused();
  }
  return identity;
}

function refused(): Unauthenticated {
  return new Unauthenticated(
    'IDENTITY_REFUSED',
    'the identity does not count: its gateway was deleted, its identities were revoked, or the proof is wrong (TLS must go from the agent to this server itself); enrol anew with a token of CreateEnrolmentToken',
  );
}

/** From here on calls may go to the agent, until its stream ends or it is cut off. */
async function carryChannels(host: RelayHost, link: GatewayLink, carried: Carried): Promise<void> {
  const { ports, relay } = host;
  const fields = { gateway: link.gateway.name, instance: link.instanceId, version: link.version };
  const over = new AbortController();
  relay.local.add(link, carried.multiplexer);
  countAttached(link.gateway.name, 1);
  ports.log.info(fields, 'gateway attached');
  void retryAfterOutage(host, link);
  void announceUntil(over.signal, ports, link, () => carried.end(statusError(refused())));

  const why = await carried.over;
  over.abort();
  relay.local.remove(link);
  countAttached(link.gateway.name, -1);
  ports.log.info({ ...fields, why: why.message }, 'gateway detached');
  await ports.gatewayLinks.withdraw(link).catch((error: unknown) => {
    ports.log.warn({ ...fields, err: error }, 'a link that is gone will be forgotten a little later');
  });
}

/** The first agent after a time without any: leases may have waited for it. */
async function retryAfterOutage({ ports }: RelayHost, link: GatewayLink): Promise<void> {
  const { gateway } = link;
  const fields = { gateway: gateway.name };
  try {
    const links = await ports.gatewayLinks.of(gateway);
    const leases = links.every((other) => cameNoEarlier(other, link)) ? await retryWaiting(ports, gateway) : 0;
    if (leases > 0) {
      ports.log.info({ ...fields, leases }, 'leases that waited for the gateway are taken down now');
    }
  } catch (error) {
    ports.log.warn({ ...fields, err: error }, 'leases that wait for the gateway are left to their own next tries');
  }
}

/** A stream of the same agent from before is one that it has lost. */
function cameNoEarlier(other: GatewayLink, { instanceId, connectTime }: GatewayLink): boolean {
  return other.instanceId === instanceId || other.connectTime > connectTime - TOGETHER_MS;
}
