import type { Secret } from './secret.ts';

/** Anything shaped like a JWT (RFC 7519), wherever it came from: `eyJ` is the base64url of `{"`. */
const JWT = /eyJ[\w-]*\.[\w-]+(?:\.[\w-]*)?/g;

/** `text` without any JWT and without the given secrets: API servers may echo what they were sent. */
export function redact(text: string, ...secrets: Secret[]): string {
  const withoutKnown = secrets.reduce((rest, secret) => rest.replaceAll(secret.reveal(), '[redacted]'), text);
  return withoutKnown.replace(JWT, '[redacted]');
}
