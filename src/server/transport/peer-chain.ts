import { TLSSocket } from 'node:tls';
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { streamOf } from './call-stream.ts';

/** Metadata in which the interceptor hands the client's certificates to the code above gRPC. Nobody else can set it. */
export const PEER_CHAIN = 'leasehold-peer-chain-bin';

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

function chainOf(call: ServerInterceptingCallInterface): readonly Buffer[] {
  const socket = streamOf(call).session?.socket;
  if (!(socket instanceof TLSSocket)) {
    // Its connection is gone.
    return [];
  }
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
