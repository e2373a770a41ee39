import { isIPv4 } from 'node:net';
import type { Settings } from '../../shared/settings.ts';

const CONFIRMATION = 'i-accept-that-tokens-travel-in-the-clear';

/** Where a server without TLS may listen. Throws an Error that says what is missing. */
export function requireMayBePlaintext(settings: Settings): void {
  const { LEASEHOLD_LISTEN, LEASEHOLD_PLAINTEXT: where, LEASEHOLD_PLAINTEXT_CONFIRMED: confirmed } = settings;
  if (where === 'refuse') {
    throw new Error(
      'the server needs LEASEHOLD_TLS_CERT and LEASEHOLD_TLS_KEY: tokens must not travel in the clear. ' +
        'LEASEHOLD_PLAINTEXT=loopback does without, for callers on this machine',
    );
  }
  if (isLoopback(LEASEHOLD_LISTEN)) {
    return;
  }
  if (where === 'loopback') {
    throw new Error(
      `LEASEHOLD_LISTEN is ${LEASEHOLD_LISTEN}, which is not loopback: with LEASEHOLD_PLAINTEXT=loopback it must be 127.0.0.1 or [::1]`,
    );
  }
  if (confirmed !== CONFIRMATION) {
    throw new Error(
      `LEASEHOLD_PLAINTEXT=anywhere shows the tokens of clusters to everybody on the way to ${LEASEHOLD_LISTEN}; ` +
        `if that is what you want, set LEASEHOLD_PLAINTEXT_CONFIRMED=${CONFIRMATION} as well`,
    );
  }
}

/** An address, not a name: where a name leads is somebody else's word. */
function isLoopback(listen: string): boolean {
  const host = listen.replace(/:\d+$/, '');
  return host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}
