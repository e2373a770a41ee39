import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { AttachResponse } from '../gen/leasehold/tunnel/v1/tunnel_service.ts';
import { type Carried, type CarryOptions, carryAttachOnAgent } from '../shared/tunnel/carry.ts';
import { attachText, certificateHash, signText } from '../shared/tunnel/signed-texts.ts';
import type { EnrolledIdentity } from './identity-file.ts';
import type { TunnelServer } from './tunnel-server.ts';

/** From the first byte to the welcome. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** For the last frames to get there, and for the server's word that it has seen the end. */
const LEAVE_MS = 2_000;

/** This agent, among those of its identity. */
export interface Instance {
  /** UUID. */
  instanceId: string;
  version: string;
}

export interface Attached extends Pick<Carried, 'over'> {
  /** Name of the gateway. */
  gateway: string;
  /** Ends the stream, after what was written. */
  leave(): Promise<void>;
}

/**
 * Opens the stream and goes through hello, challenge, proof and welcome. Rejects where that fails, with a ServiceError of
 * grpc-js where the server said why. `signal` ends the handshake.
 */
export async function attach(
  server: TunnelServer,
  identity: EnrolledIdentity,
  instance: Instance,
  accept: CarryOptions['accept'],
  signal: AbortSignal,
): Promise<Attached> {
  // It may have been aborted before: then no event is to come.
  signal.throwIfAborted();
  const client = server.connect();
  const call = client.attach();
  const { promise, resolve, reject } = Promise.withResolvers<Attached>();
  const ended = () => reject(new Error('the server ended the stream before its welcome'));
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(HANDSHAKE_TIMEOUT_MS)]);
  deadline.addEventListener('abort', () => reject(new Error('no welcome in time')), { once: true });

  let expected: 'challenge' | 'welcome' = 'challenge';
  const receive = ({ kind }: AttachResponse) => {
    const shown = call.getAuthContext()?.sslPeerCertificate;
    if (kind?.$case === 'challenge' && expected === 'challenge' && shown) {
      expected = 'welcome';
      const text = attachText({ ...identity, ...instance }, certificateHash(shown.raw), kind.value.nonce);
      call.write({ kind: { $case: 'proof', value: { signature: signText(text, identity.privateKey) } } });
    } else if (kind?.$case === 'welcome' && expected === 'welcome') {
      call.off('data', receive).off('end', ended);
      const { over, end } = carryAttachOnAgent(call, { accept });
      void over.then(() => client.close());
      resolve({
        gateway: kind.value.gateway,
        over,
        async leave() {
          // The frames of this turn are put on the stream at its end.
          await setImmediate();
          call.end();
          await Promise.race([over, sleep(LEAVE_MS, undefined, { ref: false })]);
          end(new Error('the agent stops'));
        },
      });
    } else {
      reject(new Error(`the server sent ${kind?.$case ?? 'nothing known'} where its ${expected} should come`));
    }
  };
  call.on('data', receive).on('end', ended).on('error', reject);
  const { identityId } = identity;
  call.write({ kind: { $case: 'hello', value: { identityId, ...instance } } });
  try {
    return await promise;
  } catch (error) {
    call.cancel();
    client.close();
    throw error;
  }
}
