import type { X509Certificate } from 'node:crypto';
import type { Principal } from '../../shared/domain/principal.ts';
import type { Secret } from '../../shared/domain/secret.ts';

/** What a caller shows. */
export interface Credentials {
  /** The client certificate of its connection, which was verified. */
  certificate?: X509Certificate | undefined;
  /** What it sent as `authorization: Bearer ...`. */
  bearer?: Secret | undefined;
  /** Name of metadata in which a proxy passed on the certificate of its own client. */
  forwardedCertificate?: string | undefined;
  /** Where the call came from, which bounds what is asked about credentials that nothing proves. Undefined: unknown. */
  sourceIp?: string | undefined;
  /** Called once a signature proves whose account the bearer token names, while its issuer is still asked about it. */
  onProven?: ((account: string) => void) | undefined;
  /** Milliseconds since the epoch. */
  now: number;
}

/** Knows one kind of callers. */
export interface Authenticator {
  /**
   * Resolves to undefined where the credentials are of another kind. Throws Unauthenticated where they are of this kind
   * and do not count: nobody else is asked then. Throws Unavailable where that could not be found out.
   */
  authenticate(credentials: Credentials): Promise<Principal | undefined>;
}
