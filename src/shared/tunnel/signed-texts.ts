import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Secret } from '../domain/secret.ts';

/** What stands between the parts of a text, and in none of them but, at the end, the nonce. */
const BETWEEN = Buffer.of(0);

/** What a gateway signs to enrol (EnrolRequest.signature). */
export function enrolText(token: Secret): Buffer {
  return Buffer.concat([Buffer.from('leasehold/enrol/v1'), BETWEEN, Buffer.from(token.reveal())]);
}

/**
 * What an agent signs to attach (Proof.signature). Both ids are UUIDs. `certificate` is the hash of the one that the
 * server showed: whoever stands between with another one cannot pass the proof on.
 */
export function attachText(
  hello: { identityId: string; instanceId: string },
  certificate: Uint8Array,
  nonce: Uint8Array,
): Buffer {
  return Buffer.concat([
    Buffer.from('leasehold/attach/v1'),
    BETWEEN,
    Buffer.from(hello.identityId),
    BETWEEN,
    Buffer.from(hello.instanceId),
    BETWEEN,
    certificate,
    nonce,
  ]);
}

/** SHA-256 of a certificate in DER. */
export function certificateHash(der: Uint8Array): Buffer {
  return createHash('sha256').update(der).digest();
}

/** Ed25519 (RFC 8032). */
export function signText(text: Buffer, privateKey: KeyObject): Buffer {
  return sign(null, text, privateKey);
}

/** `publicKey` is SubjectPublicKeyInfo in DER. False also where it is not an Ed25519 key. */
export function isSigned(text: Buffer, signature: Uint8Array, publicKey: Uint8Array): boolean {
  const key = ed25519Key(publicKey);
  return key !== undefined && verify(null, text, key, signature);
}

/** Undefined where the bytes, SubjectPublicKeyInfo in DER, are not an Ed25519 key (RFC 8410). */
export function ed25519Key(publicKey: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}
