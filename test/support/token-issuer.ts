import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { type JWK, SignJWT } from 'jose';

/** Claims and header of a token; what is undefined is left out. */
export interface TokenSpec {
  claims?: Readonly<Record<string, unknown>>;
  header?: { kid?: string };
}

/** An issuer of JWTs with one signing key, as an identity provider is one. */
export interface TokenIssuer {
  issuer: string;
  publicKey: KeyObject;
  jwk: JWK & { kid: string };
  /** Its public key as JWKS. */
  jwks: { keys: JWK[] };
  /** A signature of its key, for `forgeToken`. */
  sign(input: string): Buffer;
  /** Default: a good token of `alice` for `leasehold`, for five minutes. */
  token(spec?: TokenSpec): Promise<string>;
}

export function makeTokenIssuer(
  issuer = `https://issuer-${randomUUID().slice(0, 8)}.test`,
  algorithm: 'ES256' | 'RS256' = 'ES256',
): TokenIssuer {
  const { publicKey, privateKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: randomUUID(), alg: algorithm, use: 'sig' };
  return {
    issuer,
    publicKey,
    jwk,
    jwks: { keys: [jwk] },
    sign: (input) => sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    async token({ claims = {}, header = {} } = {}) {
      const now = Math.floor(Date.now() / 1000);
      const payload = { iss: issuer, sub: 'alice', aud: 'leasehold', iat: now, exp: now + 300, ...claims };
      return new SignJWT(payload).setProtectedHeader({ alg: algorithm, kid: jwk.kid, ...header }).sign(privateKey);
    },
  };
}

/** A token as an attacker writes it: any header, any claims, and a signature of his own making. */
export function forgeToken(
  header: object,
  claims: object,
  sign: (input: string) => Buffer = () => Buffer.of(),
): string {
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${input}.${sign(input).toString('base64url')}`;
}
