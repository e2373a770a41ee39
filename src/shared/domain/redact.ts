import type { Secret } from './secret.ts';

/** A run of the characters of a JWT (RFC 7519). Whole runs are looked at, so that hostile text costs no more than its length. */
const RUN = /[\w.-]+/g;

/** `eyJ` is the base64url of `{"`. */
const JWT_START = 'eyJ';

const API_KEY = /leasehold_[-a-z0-9]{1,63}_[\w-]{43}/;

/** `text` without anything shaped like a JWT or an API key, and without the given secrets: API servers may echo what they were sent. */
export function redact(text: string, ...secrets: Secret[]): string {
  const withoutKnown = secrets.reduce((rest, secret) => rest.replaceAll(secret.reveal(), '[redacted]'), text);
  return withoutKnown.replace(RUN, (run) => (looksLikeJwt(run) || API_KEY.test(run) ? '[redacted]' : run));
}

function looksLikeJwt(run: string): boolean {
  const start = run.indexOf(JWT_START);
  return start >= 0 && run.includes('.', start);
}
