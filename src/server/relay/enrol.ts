import type { EnrolRequest, EnrolResponse } from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';
import { Unauthenticated } from '../../shared/domain/errors.ts';
import { Secret } from '../../shared/domain/secret.ts';
import { enrol } from '../../shared/gateways/enrol.ts';
import { enrolText, isSigned } from '../../shared/tunnel/signed-texts.ts';
import type { RelayHost } from './relay-host.ts';

/** Throws Unauthenticated or Unavailable. */
export async function answerEnrol({ ports }: RelayHost, request: EnrolRequest): Promise<EnrolResponse> {
  const token = new Secret(request.token);
  if (!isSigned(enrolText(token), request.signature, request.publicKey)) {
    throw new Unauthenticated('ENROLMENT_REFUSED', 'the signature is not of the public key, which must be Ed25519');
  }
  const identity = await enrol(ports, token, Buffer.from(request.publicKey).toString('base64'));
  return { identityId: identity.id, gateway: identity.gateway.name };
}
