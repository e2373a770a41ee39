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

/** An RSA key of 8192 bits in base64url. To verify a signature takes longer the larger the key and its exponent are. */
const MAX_RSA_MODULUS = 1_366;
const MAX_RSA_EXPONENT = 6;

const hasBoundedRsa = ({ n = '', e = '' }: Record<string, unknown>) =>
  String(n).length <= MAX_RSA_MODULUS && String(e).length <= MAX_RSA_EXPONENT;

/** RFC 7517. What must stay with the issuer is refused: whoever has it can make tokens. */
const Jwks = z.object({
  keys: z
    .array(
      z
        .looseObject({ kty: z.string() })
        .refine((key) => key.kty !== 'oct' && !('d' in key) && !('k' in key), 'holds a private or a symmetric key')
        .refine(hasBoundedRsa, 'holds an RSA key of more than 8192 bits, or with too large an exponent'),
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
