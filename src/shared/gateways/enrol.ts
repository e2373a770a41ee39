import { v7 as uuidv7 } from 'uuid';
import { Unauthenticated } from '../domain/errors.ts';
import type { GatewayIdentity } from '../domain/gateway.ts';
import type { Secret } from '../domain/secret.ts';
import type { Ports } from '../ports/ports.ts';
import { hashOf } from './enrolment-token.ts';

/**
 * Makes a key known whose holder has proved to have it (Ed25519, SubjectPublicKeyInfo in DER, in base64). Throws
 * Unauthenticated where the token does not count: one answer for all reasons, so that it tells nothing to who guesses.
 * Throws ResourceExhausted where it does, and the gateway has as many identities as it may.
 */
export async function enrol(ports: Ports, token: Secret, publicKey: string): Promise<GatewayIdentity> {
  const identity = await ports.gateways.enrol(hashOf(token), { id: uuidv7(), publicKey });
  if (!identity) {
    throw new Unauthenticated(
      'ENROLMENT_REFUSED',
      'the enrolment token is unknown, was used by another key, or has expired; CreateEnrolmentToken makes a new one',
    );
  }
  ports.log.info({ gateway: identity.gateway.name, identity: identity.id }, 'gateway identity enrolled');
  return identity;
}
