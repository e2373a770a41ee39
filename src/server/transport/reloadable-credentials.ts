import type { SecureContextOptions } from 'node:tls';
import { ServerCredentials, type ServerInterceptor } from '@grpc/grpc-js';
import { peerChainInterceptor } from './peer-chain.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Whether clients show certificates. */
export type ClientCertificateMode = 'none' | 'optional' | 'required';

/**
 * TLS whose certificates can be replaced: connections that are open stay, new ones see the new certificates. The
 * credentials of grpc-js take any version and cipher that Node takes, and cannot ask for a certificate without requiring
 * it.
 */
export class ReloadableCredentials extends ServerCredentials {
  readonly #interceptors: ServerInterceptor[];

  constructor(context: SecureContextOptions, clientCertificates: ClientCertificateMode = 'none') {
    super(
      {
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        requestCert: clientCertificates !== 'none',
        rejectUnauthorized: clientCertificates === 'required',
      },
      context,
    );
    this.#interceptors = clientCertificates === 'none' ? [] : [peerChainInterceptor];
  }

  replace(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  override _getInterceptors(): ServerInterceptor[] {
    return this.#interceptors;
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
