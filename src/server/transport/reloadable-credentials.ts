import type { SecureContextOptions } from 'node:tls';
import { ServerCredentials, type ServerInterceptor } from '@grpc/grpc-js';

const HANDSHAKE_TIMEOUT_MS = 10_000;

/** That clients are asked for certificates. */
interface AskingForCertificates {
  isRequired: boolean;
  /** Sees each call. */
  interceptor: ServerInterceptor;
}

/**
 * TLS whose certificates can be replaced: connections that are open stay, new ones see the new certificates. The
 * credentials of grpc-js take any version and cipher that Node takes, and cannot ask for a certificate without requiring
 * it.
 */
export class ReloadableCredentials extends ServerCredentials {
  readonly #interceptors: ServerInterceptor[];

  /** `asking` left out: no client certificates. */
  constructor(context: SecureContextOptions, asking?: AskingForCertificates) {
    super(
      {
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        requestCert: asking !== undefined,
        rejectUnauthorized: asking?.isRequired ?? false,
      },
      context,
    );
    this.#interceptors = asking ? [asking.interceptor] : [];
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
