import { ResourceExhausted } from '../../shared/domain/errors.ts';
import { FairRoom } from './fair-room.ts';

/**
 * A call that is not read holds up to 128 KiB: the window of its stream (RFC 9113, 6.9.2) and what Node takes ahead of
 * its reader, 64 KiB each. So the calls of a room hold 32 MiB, and up to four times that, 128 MiB, in a burst that is
 * younger than GRACE_MS. There are two rooms.
 */
const MAX_CALLS = 256;
const MAX_CALLS_OF_ONE = 128;

/** Longer than a credential takes that is verified in this process, so that a burst of calls with good ones passes. */
const GRACE_MS = 100;

const RETRY_MS = 1_000;

/** Bounds the calls whose callers are not known yet, or never will be. */
export class UnauthenticatedCalls {
  readonly #room = new FairRoom({ max: MAX_CALLS, maxPerGroup: MAX_CALLS_OF_ONE, graceMs: GRACE_MS });
  /** Those whose tokens are signed: they compete with other calls of their accounts, and not with forged ones. */
  readonly #proven = new FairRoom({ max: MAX_CALLS, maxPerGroup: MAX_CALLS_OF_ONE, graceMs: GRACE_MS });

  /** `refuse` is called where the call must give way to others. Returns what ends its stay. */
  begin(network: string, refuse: (error: ResourceExhausted) => void): () => void {
    return this.#room.enter(network, () => refuse(tooMany(`address:${network}`)));
  }

  /** The same for a call whose token is proven to be of that account, and is still asked about. */
  beginProven(account: string, refuse: (error: ResourceExhausted) => void): () => void {
    return this.#proven.enter(account, () => refuse(tooMany(`serviceaccount:${account}`)));
  }
}

function tooMany(subject: string): ResourceExhausted {
  return new ResourceExhausted(
    'TOO_MANY_UNAUTHENTICATED_CALLS',
    'too many calls wait for authentication, or need none, so the oldest are refused: wait as long as RetryInfo says',
    { subject, retryAfterMs: RETRY_MS },
  );
}
