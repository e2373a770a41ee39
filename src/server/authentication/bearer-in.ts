import type { X509Certificate } from 'node:crypto';
import type { Metadata } from '@grpc/grpc-js';
import { Unauthenticated } from '../../shared/domain/errors.ts';
import { Secret } from '../../shared/domain/secret.ts';
import { severalCredentials } from './several-credentials.ts';

/** RFC 6750, section 2.1. HTTP/2 limits its length. */
const BEARER = /^bearer +([\w.~+/-]+=*)$/i;

/**
 * Other metadata in which credentials travel by convention. Leasehold reads none of it: a call that carries some beside
 * a credential that counts may act for someone other than that credential names. Each is looked up by its name (0.5 µs
 * for all): going through the metadata of a call would take as long as its sender likes.
 */
const ELSEWHERE = [
  'authorization-bin',
  'proxy-authorization',
  'x-authorization',
  'x-forwarded-authorization',
  'x-original-authorization',
  'x-api-key',
  'api-key',
  'apikey',
  'x-auth-token',
  'x-access-token',
  'access-token',
  'x-forwarded-access-token',
  'x-bearer-token',
  // Identities that load balancers of AWS, Google Cloud and Cloudflare sign.
  'x-amzn-oidc-data',
  'x-goog-iap-jwt-assertion',
  'cf-access-jwt-assertion',
];

/** In which proxies pass on the certificate of their client: Envoy, RFC 9440, nginx ingress controllers. */
const CERTIFICATES = ['x-forwarded-client-cert', 'client-cert', 'ssl-client-cert', 'x-ssl-client-cert'];

/** Name of the metadata in which a proxy passes on the certificate of its client, which is not read. */
export function forwardedCertificateIn(metadata: Metadata): string | undefined {
  return CERTIFICATES.find((key) => metadata.get(key).length > 0);
}

/**
 * The token of `authorization: Bearer ...`. Throws Unauthenticated where it is malformed, or not the only credential.
 */
export function bearerIn(metadata: Metadata, certificate: X509Certificate | undefined): Secret | undefined {
  const [shown, ...more] = metadata.get('authorization').map(String);
  const elsewhere = ELSEWHERE.find((key) => metadata.get(key).length > 0);
  // What joins the values of a repeated header puts a comma between them (RFC 9110, 5.3). A token has none.
  if (more.length > 0 || shown?.includes(',')) {
    throw severalCredentials('several values in metadata `authorization`');
  }
  if (elsewhere !== undefined && (shown !== undefined || certificate !== undefined)) {
    throw severalCredentials(`one in metadata \`${elsewhere}\`, which is not read here`);
  }
  if (shown === undefined) {
    return undefined;
  }
  const token = BEARER.exec(shown)?.[1];
  if (token === undefined) {
    throw new Unauthenticated('CREDENTIALS_INVALID', 'metadata `authorization` must be one `Bearer ` and the token');
  }
  return new Secret(token);
}
