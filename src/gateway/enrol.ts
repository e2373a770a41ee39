import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { Secret } from '../shared/domain/secret.ts';
import { enrolText, signText } from '../shared/tunnel/signed-texts.ts';
import type { EnrolledIdentity, Identity, IdentityFile } from './identity-file.ts';
import type { TunnelServer } from './tunnel-server.ts';

const ENROL_TIMEOUT_MS = 10_000;

export const TOKEN_REFUSED =
  'Leasehold refuses the enrolment token: it is used, expired or void. Start the agent with another, from CreateEnrolmentToken';

/** Whether Leasehold said that it does not know who called. Only a person can help then. */
export function isUnknown(error: unknown): boolean {
  return (error as { code?: unknown }).code === status.UNAUTHENTICATED;
}

/** What an agent enrols with. */
export interface Enrolment {
  identity: Identity;
  file: IdentityFile;
  token: Secret;
}

function isEnrolled(identity: Identity): identity is EnrolledIdentity {
  return identity.identityId !== undefined;
}

/**
 * The identity as its file has it, or the means to get one: then the key is in the file already, so that an enrolment
 * whose answer was lost can be repeated with the same key. Throws where there is neither identity nor token.
 */
export async function prepareIdentity(
  file: IdentityFile,
  enrolmentToken: string | undefined,
): Promise<EnrolledIdentity | Enrolment> {
  const kept = await file.read();
  if (kept && isEnrolled(kept)) {
    return kept;
  }
  if (enrolmentToken === undefined) {
    throw new Error(
      `${file.path} has no identity: set LEASEHOLD_GATEWAY_ENROLMENT_TOKEN to a token from CreateGateway or CreateEnrolmentToken`,
    );
  }
  const identity = kept ?? { privateKey: generateKeyPairSync('ed25519').privateKey };
  await file.write(identity);
  return { identity, file, token: new Secret(enrolmentToken) };
}

/** Makes the key known to Leasehold and keeps the identity that it gives. Rejects with a ServiceError of grpc-js. */
export async function enrol(server: TunnelServer, { identity, file, token }: Enrolment): Promise<EnrolledIdentity> {
  const client = server.connect();
  try {
    const request = {
      token: token.reveal(),
      publicKey: createPublicKey(identity.privateKey).export({ type: 'spki', format: 'der' }),
      signature: signText(enrolText(token), identity.privateKey),
    };
    const { identityId } = await client.enrol(request, { deadline: Date.now() + ENROL_TIMEOUT_MS });
    const enrolled = { ...identity, identityId };
    await file.write(enrolled);
    return enrolled;
  } finally {
    client.close();
  }
}
