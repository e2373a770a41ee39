import { createHash, randomBytes } from 'node:crypto';
import type { GatewayRef } from '../domain/config.ts';
import { Secret } from '../domain/secret.ts';
import type { Ports } from '../ports/ports.ts';
import { untilCutOff } from './until-cut-off.ts';

/** Tells secret scanners, and people, what was found. */
const PREFIX = 'leasehold-enrol-';

const RANDOM_BYTES = 32;

/** What a gateway enrols with, once. Only its hash is kept. */
export interface EnrolmentToken {
  token: Secret;
  expireTime: number;
}

/**
 * Another token for a gateway; with `revokeIdentities`, all keys and tokens of before are void first. Throws
 * ResourceExhausted (then they are void all the same) or Unavailable.
 */
export async function createEnrolmentToken(
  ports: Ports,
  gateway: GatewayRef,
  { revokeIdentities, ...wanted }: { ttlSeconds: number; revokeIdentities: boolean; principal: string },
): Promise<EnrolmentToken> {
  if (revokeIdentities) {
    await ports.gateways.revokeIdentities(gateway);
    ports.log.info({ gateway: gateway.name }, 'identities of the gateway revoked');
    await untilCutOff(ports, gateway);
  }
  return newToken(ports, gateway, wanted);
}

export async function newToken(
  ports: Ports,
  gateway: GatewayRef,
  { ttlSeconds, principal }: { ttlSeconds: number; principal: string },
): Promise<EnrolmentToken> {
  const token = new Secret(PREFIX + randomBytes(RANDOM_BYTES).toString('base64url'));
  await ports.gateways.keepToken(gateway, hashOf(token), ttlSeconds * 1000, principal);
  return { token, expireTime: ports.clock.now() + ttlSeconds * 1000 };
}

/** SHA-256 is enough for 256 random bits: nobody can try them all. Looking a hash up tells nothing by its time. */
export function hashOf(token: Secret): string {
  return createHash('sha256').update(token.reveal()).digest('hex');
}
