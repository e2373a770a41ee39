import { TLSSocket } from 'node:tls';
import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { z } from 'zod';

/** Metadata in which the interceptor hands the client's certificates to the code above gRPC. Nobody else can set it. */
export const PEER_CHAIN = 'leasehold-peer-chain-bin';

/**
 * Of BaseServerInterceptingCall, which keeps it for itself: what grpc-js tells (getAuthContext) is the client's own
 * certificate, without those that lead from it to a CA.
 */
const CallOnSocket = z.object({ stream: z.object({ session: z.object({ socket: z.instanceof(TLSSocket) }) }) });

const chains = new WeakMap<TLSSocket, Buffer[]>();

/** Puts the certificates that the client showed, where they were verified, into the metadata of each call. */
export const peerChainInterceptor: ServerInterceptor = (_, call) =>
  new ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveMetadata(metadata: Metadata, pass) {
          metadata.remove(PEER_CHAIN);
          for (const certificate of chainOf(call)) {
            metadata.add(PEER_CHAIN, certificate);
          }
          pass(metadata);
        },
      }),
  });

function chainOf(call: object): readonly Buffer[] {
  const onSocket = CallOnSocket.safeParse(call);
  if (!onSocket.success) {
    // Its connection is gone.
    return [];
  }
  const { socket } = onSocket.data.stream.session;
  const chain = chains.get(socket) ?? verifiedChain(socket);
  chains.set(socket, chain);
  return chain;
}

function verifiedChain(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = [];
  let certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  while (certificate) {
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}
