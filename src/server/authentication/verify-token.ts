import { compactVerify, decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { LeaseholdError, Unauthenticated } from '../../shared/domain/errors.ts';
import type { Secret } from '../../shared/domain/secret.ts';
import type { KeySet } from './key-set.ts';

/** Algorithms of signatures that may be allowed: with a pair of keys each. Neither `none` nor HMAC, ever. */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** How far the clocks of issuers may be from ours. */
const CLOCK_TOLERANCE_SECONDS = 5;

/** What a token must be to count. */
export interface TokenRules {
  issuer: string;
  /** One of them. */
  audiences: readonly string[];
  algorithms: readonly string[];
  keys: KeySet;
}

/** A JWT is a compact JWS: three parts, of which the signature may be empty (RFC 7515, 7.1). */
const COMPACT = /^[^.]+\.[^.]+\.[^.]*$/;

/** Who a token says that it is of: nothing that may be believed. Undefined: it is no JWT, or does not say. */
export function claimedIssuer(token: Secret | undefined): string | undefined {
  // Anything else, such as an API key, is not decoded: the error that this throws costs more than all else here.
  if (!token || !COMPACT.test(token.reveal())) {
    return undefined;
  }
  try {
    return decodeJwt(token.reveal()).iss;
  } catch (error) {
    if (error instanceof errors.JOSEError) {
      return undefined;
    }
    throw error;
  }
}

/** Verifies a token and returns its claims. Throws Unauthenticated, or Unavailable where the keys are not known. */
export async function verifyToken(token: Secret, rules: TokenRules, now: number): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token.reveal(), rules.keys.keyOf, {
      issuer: rules.issuer,
      audience: [...rules.audiences],
      algorithms: [...rules.algorithms],
      requiredClaims: ['sub', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(now),
    });
    return payload;
  } catch (error) {
    if (error instanceof LeaseholdError) {
      throw error;
    }
    // A key of the issuer that cannot be used makes more than JOSEErrors; whatever it is, the token does not count.
    throw refusal(error);
  }
}

/**
 * Verifies the signature of a token and nothing else, and returns its claims. Throws Unauthenticated, or Unavailable
 * where the keys are not known.
 */
export async function verifySignature(
  token: Secret,
  { algorithms, keys }: Pick<TokenRules, 'algorithms' | 'keys'>,
): Promise<JWTPayload> {
  const text = token.reveal();
  try {
    await compactVerify(text, keys.keyOf, { algorithms: [...algorithms] });
    return decodeJwt(text);
  } catch (error) {
    throw error instanceof LeaseholdError ? error : refusal(error);
  }
}

/**
 * Refuses what can be refused without a key: a token that is malformed, expired, or for another audience. A claim
 * that it does not have is not judged: tokens of Kubernetes' Secrets have neither `aud` nor `exp`. That it passes
 * proves nothing. Throws Unauthenticated.
 */
export function requirePlausible(token: Secret, audiences: readonly string[], now: number): void {
  const text = token.reveal();
  try {
    const { alg = '' } = decodeProtectedHeader(text);
    const claims = decodeJwt(text);
    const { aud = audiences, exp = Number.POSITIVE_INFINITY } = claims;
    if (!ALGORITHMS.some((allowed) => allowed === alg)) {
      throw new errors.JOSEAlgNotAllowed();
    }
    if (!audiences.some((audience) => [aud].flat().includes(audience))) {
      throw new errors.JWTClaimValidationFailed('', claims, 'aud');
    }
    if (typeof exp !== 'number') {
      throw new errors.JWTClaimValidationFailed('', claims, 'exp');
    }
    if (exp <= now / 1000 - CLOCK_TOLERANCE_SECONDS) {
      throw new errors.JWTExpired('', claims, 'exp');
    }
  } catch (error) {
    throw refusal(error);
  }
}

function refusal(error: unknown): Unauthenticated {
  if (error instanceof errors.JWTExpired) {
    return new Unauthenticated('CREDENTIALS_EXPIRED', 'the token expired; get a new one from its issuer', {
      cause: error,
    });
  }
  return new Unauthenticated('CREDENTIALS_INVALID', `the token is not accepted: ${whatIsWrong(error)}`, {
    cause: error,
  });
}

function whatIsWrong(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed) {
    return claimProblem(error.claim);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return 'its algorithm is none of those that are allowed for its issuer';
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return 'its header names no key of its issuer';
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return 'its signature is wrong';
  }
  return 'it is not well-formed, or the key of its issuer cannot be used';
}

function claimProblem(claim: string): string {
  switch (claim) {
    case 'aud':
      return 'it is for another audience';
    case 'nbf':
      return 'it is not valid yet';
    default:
      return `its claim ${claim} is missing or wrong`;
  }
}
