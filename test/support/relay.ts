import { randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { type handleBidiStreamingCall, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { AttachRequest, AttachResponse, Hello } from '../../src/gen/leasehold/tunnel/v1/tunnel_service.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { type Carried, carryAttachOnServer } from '../../src/shared/tunnel/carry.ts';
import { attachText, certificateHash, enrolText, isSigned } from '../../src/shared/tunnel/signed-texts.ts';
import { type TunnelHandlers, tunnelService } from '../../src/shared/tunnel/tunnel-service.ts';
import type { Certificate } from './certificates.ts';

/** What an agent dials out to. It knows one gateway, `test`, and does with the agent's channels what a test wants. */
export interface Relay {
  /** `localhost:port`. */
  address: string;
  /** The agents that are attached, in the order in which they came. */
  agents: (Carried & { hello: Hello })[];
  /** The enrolment tokens that were taken, each once more where it was repeated. */
  enrolments: string[];
  /** Whether agents are let in. Default: true. */
  isOpen: boolean;
  /** Waits until so many agents are attached. */
  attached(count?: number): Promise<Relay['agents']>;
  stop(): void;
}

/** Listens with TLS at a free port, or at a given one. */
export async function startRelay({ cert, key }: Certificate, port = 0): Promise<Relay> {
  const publicKeys = new Map<string, Uint8Array>();
  const changes = new EventEmitter<{ change: [] }>();
  const certificate = certificateHash(new X509Certificate(cert).raw);
  const refusal = { code: status.UNAUTHENTICATED, details: 'unknown' };

  const attach: handleBidiStreamingCall<AttachRequest, AttachResponse> = (call) => {
    let hello: Hello | undefined;
    const nonce = randomBytes(32);
    const receive = ({ kind }: AttachRequest) => {
      if (kind?.$case === 'hello' && relay.isOpen) {
        hello = kind.value;
        call.write({ kind: { $case: 'challenge', value: { nonce } } });
        return;
      }
      const isKnown =
        kind?.$case === 'proof' &&
        hello &&
        isSigned(
          attachText(hello, certificate, nonce),
          kind.value.signature,
          publicKeys.get(hello.identityId) ?? Buffer.of(),
        );
      if (!isKnown || !hello) {
        call.emit('error', refusal);
        return;
      }
      call.off('data', receive);
      call.write({ kind: { $case: 'welcome', value: { gateway: 'test' } } });
      const agent = { ...carryAttachOnServer(call, {}), hello };
      relay.agents.push(agent);
      void agent.over.then(() => {
        relay.agents.splice(relay.agents.indexOf(agent), 1);
        changes.emit('change');
      });
      changes.emit('change');
    };
    call.on('data', receive);
  };

  const handlers: TunnelHandlers = {
    enrol({ request: { token, publicKey, signature } }, answer) {
      relay.enrolments.push(token);
      if (!relay.isOpen || !isSigned(enrolText(new Secret(token)), signature, publicKey)) {
        answer(refusal);
        return;
      }
      const identityId = randomUUID();
      publicKeys.set(identityId, publicKey);
      answer(null, { identityId, gateway: 'test' });
    },
    attach,
    forward: (call) => void call.emit('error', { code: status.UNIMPLEMENTED }),
  };

  const server = new Server();
  server.addService(tunnelService, handlers);
  const credentials = ServerCredentials.createSsl(null, [
    { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) },
  ]);
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, actual) => (error ? reject(error) : resolve(actual))),
  );
  const relay: Relay = {
    address: `localhost:${bound}`,
    agents: [],
    enrolments: [],
    isOpen: true,
    async attached(count = 1) {
      while (relay.agents.length !== count) {
        await once(changes, 'change');
      }
      return relay.agents;
    },
    stop: () => server.forceShutdown(),
  };
  return relay;
}
