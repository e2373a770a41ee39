const KEY_BYTES = 32;

/**
 * The forms in which a secret could be written down. Of a JWT (RFC 7519) only the signature, without which it opens
 * nothing: the rest says what certificates and logs may say, too. Of a PEM private key, or a text with one, its lines.
 */
export function formsOf(secret: string): string[] {
  if (secret.includes('PRIVATE KEY-----')) {
    return [...secret.matchAll(/[A-Za-z0-9+/=]{24,}/g)].map(([line]) => line);
  }
  const harmless = (secret.lastIndexOf('.') + 1) / secret.length;
  return [secret, ...formsOfBytes(Buffer.from(secret)), ...formsOfKey(Buffer.from(secret, 'base64'))].map((form) =>
    form.slice(Math.ceil(form.length * harmless)),
  );
}

/** As Node prints and serializes them. */
function formsOfBytes(bytes: Buffer): string[] {
  return [bytes.toString('base64'), bytes.toString('base64url'), bytes.toString('hex'), [...bytes].join(',')];
}

function formsOfKey(bytes: Buffer): string[] {
  return bytes.length === KEY_BYTES ? formsOfBytes(bytes) : [];
}
