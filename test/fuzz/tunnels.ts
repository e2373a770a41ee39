import { createPublicKey, createSecretKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Client, type ClientDuplexStream, credentials, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { AttachRequest, AttachResponse } from '../../src/gen/leasehold/tunnel/v1/tunnel_service.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { PEER_BEARER } from '../../src/shared/runtime.ts';
import { deriveSecret } from '../../src/shared/sealing/derive-secret.ts';
import { attachText, certificateHash, enrolText, signText } from '../../src/shared/tunnel/signed-texts.ts';
import { TunnelClient, tunnelOptions, tunnelService } from '../../src/shared/tunnel/tunnel-service.ts';
import type { RawOutcome } from '../support/raw-grpc.ts';
import { type FuzzedSite, GATEWAY } from './fuzzed-site.ts';

/** A stream of the relay, opened as by one whom it lets in. */
interface Tunnel {
  name: string;
  path: string;
  send(messages: readonly Buffer[]): Promise<RawOutcome>;
}

interface Tunnels extends AsyncDisposable {
  all: Tunnel[];
}

type Bytes = ClientDuplexStream<Buffer, Buffer>;

/** Ends a stream that goes on though nothing more comes. */
const DEADLINE_MS = 20_000;

/** Enrols an agent, and opens streams as that, and as another process of the installation. */
export async function openTunnels(site: FuzzedSite): Promise<Tunnels> {
  const tls = credentials.createSsl(Buffer.from(site.relayCa));
  const options = { ...tunnelOptions, 'grpc.ssl_target_name_override': 'localhost' };
  const relay = new TunnelClient(site.relayAddress, tls, options);
  const client = new Client(site.relayAddress, tls, options);
  let agent = enrolAgent(site, relay);
  await agent;
  const open = (path: string, metadata = new Metadata()): Bytes =>
    client.makeBidiStreamRequest(path, asItIs, asItIs, metadata, { deadline: Date.now() + DEADLINE_MS });
  const attach = tunnelService.attach.path;
  const forward = tunnelService.forward.path;
  return {
    all: [
      {
        name: 'TunnelService.Attach, attached',
        path: attach,
        async send(messages) {
          const current = agent;
          const known = await current;
          const outcome = await sendAll(open(attach), messages, (call) => shakeHands(call, known));
          // Its gateway was deleted, and is there anew.
          if (outcome.status === status.UNAUTHENTICATED && agent === current) {
            agent = enrolAgent(site, relay);
          }
          return outcome;
        },
      },
      {
        name: 'TunnelService.Forward, of a peer',
        path: forward,
        send: (messages) => sendAll(open(forward, bearerOf(site)), messages, async (call) => void call.resume()),
      },
    ],
    async [Symbol.asyncDispose]() {
      client.close();
      relay.close();
    },
  };
}

const asItIs = (bytes: Buffer): Buffer => bytes;

/** What processes of one installation show each other. */
function bearerOf({ environment }: FuzzedSite): Metadata {
  const key = createSecretKey(environment['LEASEHOLD_SEAL_KEY'] ?? '', 'base64');
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${deriveSecret(key, PEER_BEARER).reveal()}`);
  return metadata;
}

type Agent = Awaited<ReturnType<typeof enrolAgent>>;

async function enrolAgent({ client }: FuzzedSite, relay: TunnelClient) {
  const { enrolmentToken } = await client.gateways.createEnrolmentToken({ gateway: GATEWAY });
  const token = new Secret(enrolmentToken?.token ?? '');
  const { privateKey } = generateKeyPairSync('ed25519');
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const signature = signText(enrolText(token), privateKey);
  const { identityId } = await relay.enrol({ token: token.reveal(), publicKey, signature }, {});
  return { identityId, privateKey };
}

async function shakeHands(call: Bytes, { identityId, privateKey }: Agent): Promise<void> {
  const hello = { identityId, instanceId: randomUUID(), version: 'fuzz' };
  const write = (kind: NonNullable<AttachRequest['kind']>) =>
    call.write(Buffer.from(AttachRequest.encode({ kind }).finish()));
  write({ $case: 'hello', value: hello });
  const challenge = AttachResponse.decode((await once(call, 'data'))[0] as Buffer);
  const nonce = challenge.kind?.$case === 'challenge' ? challenge.kind.value.nonce : Buffer.of();
  const certificate = certificateHash(call.getAuthContext()?.sslPeerCertificate?.raw ?? Buffer.of());
  write({ $case: 'proof', value: { signature: signText(attachText(hello, certificate, nonce), privateKey) } });
  await once(call, 'data');
}

async function sendAll(
  call: Bytes,
  messages: readonly Buffer[],
  begin: (call: Bytes) => Promise<void>,
): Promise<RawOutcome> {
  const ended = new Promise<RawOutcome>((resolve) => {
    call.on('error', () => undefined);
    call.on('status', ({ code, details }: StatusObject) => resolve({ status: code, message: details, resetCode: 0 }));
  });
  await Promise.race([begin(call), ended]);
  call.resume();
  for (const message of messages) {
    call.write(message);
  }
  call.end();
  return ended;
}
