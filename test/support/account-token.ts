import { Secret } from '../../src/shared/domain/secret.ts';

/** A token of a service account as an API server would write it, but for its signature. Times are in seconds. */
export function accountToken(claims: { iat?: number; exp?: number; [claim: string]: unknown }): Secret {
  const parts = [{ alg: 'RS256' }, { sub: 'system:serviceaccount:leasehold:leasehold', aud: ['api'], ...claims }];
  return new Secret([...parts.map((part) => encode(JSON.stringify(part))), encode('signature')].join('.'));
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}
