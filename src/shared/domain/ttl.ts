import type { Config } from './config.ts';
import { InvalidArgument } from './errors.ts';

/** Kubernetes mints no token for less: TokenRequestSpec.expirationSeconds, "may not specify a duration less than 10 minutes". */
export const MIN_TOKEN_SECONDS = 600;

/** Nor for more: TokenRequestSpec.expirationSeconds, "may not specify a duration larger than 2^32 seconds". */
export const MAX_TOKEN_SECONDS = 2 ** 32;

/** The shortest lease: one with objects ends when they go, a static one that is not revocable only with its token. */
export function minTtlSeconds(credential: Config['credential']): number {
  return credential.kind === 'static' && !credential.revocable ? MIN_TOKEN_SECONDS : 1;
}

/** The ttl of a lease on `config`: what was asked, or the default. */
export function chooseTtlSeconds(config: Config, askedSeconds: number | undefined): number {
  const ttl = askedSeconds ?? config.defaultTtlSeconds;
  const min = minTtlSeconds(config.credential);
  if (ttl < min) {
    throw new InvalidArgument([
      {
        field: 'ttl',
        description: `is ${ttl} s; the least is ${min} s: Kubernetes mints no shorter token, and a static one cannot be revoked unless the config says revocable`,
      },
    ]);
  }
  if (ttl > config.maxTtlSeconds) {
    throw new InvalidArgument([
      {
        field: 'ttl',
        description: `is ${ttl} s; config ${JSON.stringify(config.name)} allows up to ${config.maxTtlSeconds} s (max_ttl)`,
      },
    ]);
  }
  return ttl;
}

/** How long a token to ask for: a lease may be shorter than any token. */
export function tokenSeconds(ttlSeconds: number): number {
  return Math.max(ttlSeconds, MIN_TOKEN_SECONDS);
}
