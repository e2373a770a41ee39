import {
  ClusterAddressNotAllowed,
  ClusterError,
  ClusterNotCalled,
  ClusterNotTrusted,
  ClusterRefused,
  GatewayLost,
  GatewayNotConnected,
  GatewayRefused,
} from '../domain/cluster-error.ts';

/** Shown to everyone who uses the access, so without the words that one of their calls was answered with. */
export function kindOf(failure: unknown): string {
  if (failure instanceof ClusterRefused) {
    return `it answered ${failure.refusal.status}`;
  }
  const what = failure instanceof ClusterNotCalled ? 'no connection could be made' : 'no answer came';
  const { code } = ((failure as Error).cause ?? {}) as NodeJS.ErrnoException;
  return code === undefined ? what : `${what} (${code})`;
}

/** Of the cluster: a gateway that has no agent says nothing about it. */
export function isConnectFailure(outcome: unknown): boolean {
  return outcome instanceof ClusterNotCalled && !(outcome instanceof GatewayNotConnected);
}

const SAYS_NOTHING = [ClusterAddressNotAllowed, ClusterNotTrusted, GatewayLost, GatewayNotConnected, GatewayRefused];

type RestRequest = ClusterRefused & { refusal: { retryAfterMs: number } };

export function asksForRest(outcome: unknown): outcome is RestRequest {
  return (
    outcome instanceof ClusterRefused &&
    !outcome.isOfAdmission &&
    (outcome.refusal.status === 429 || outcome.refusal.status === 503) &&
    outcome.refusal.retryAfterMs !== undefined
  );
}

/**
 * What becomes of a gateway's agents says nothing about the cluster: where none is connected, asking again costs
 * nothing; where one was lost, another carries the next call. Agents report an API server that they cannot reach.
 *
 * A refusal, with Retry-After or without, is from a healthy cluster. So is a 500 in an API server's own words, and
 * whatever admission says: a webhook chooses its HTTP status itself, and may be of one namespace only.
 */
export function speaksForSickness(outcome: unknown): boolean {
  if (!(outcome instanceof ClusterRefused)) {
    return outcome instanceof ClusterError && !SAYS_NOTHING.some((type) => outcome instanceof type);
  }
  const { status, reason } = outcome.refusal;
  const isAboutThisCall = outcome.isOfAdmission || (status === 500 && reason !== '');
  return (status === 429 || status >= 500) && !isAboutThisCall && !asksForRest(outcome);
}

/**
 * The same where no caller can have arranged it. A call may go without an answer, or to the API server's own deadline
 * (504), because a webhook of one namespace hangs.
 */
export function speaksForSicknessOfAll(outcome: unknown): boolean {
  const isOfAll =
    outcome instanceof ClusterRefused ? outcome.refusal.status !== 504 : outcome instanceof ClusterNotCalled;
  return isOfAll && speaksForSickness(outcome);
}

/** The same where the caller can have arranged it. */
export function speaksForSicknessOfOne(outcome: unknown): boolean {
  return speaksForSickness(outcome) && !speaksForSicknessOfAll(outcome);
}
