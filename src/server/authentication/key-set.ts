import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { createLocalJWKSet } from 'jose';
import { z } from 'zod';

/** The public keys of an issuer. */
export interface KeySet {
  /**
   * The key that signed. Throws a JOSEError where the issuer has none that fits; Unavailable where its keys are not
   * known.
   */
  readonly keyOf: JWTVerifyGetKey;
  close(): void;
}

/** RFC 7517. What must stay with the issuer is refused: whoever has it can make tokens. */
const Jwks = z.object({
  keys: z
    .array(
      z
        .looseObject({ kty: z.string() })
        .refine((key) => key.kty !== 'oct' && !('d' in key) && !('k' in key), 'holds a private or a symmetric key'),
    )
    .max(1_000),
});

/** Throws where it is no set of public keys. */
export function parseKeys(jwks: unknown): JWTVerifyGetKey {
  const parsed = Jwks.safeParse(jwks);
  if (!parsed.success) {
    throw new Error(`it is no JSON Web Key Set of public keys: ${z.prettifyError(parsed.error)}`);
  }
  return createLocalJWKSet(parsed.data as JSONWebKeySet);
}
