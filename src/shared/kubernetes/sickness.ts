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

/** Told to all who use the access, and so without words that the call of one of them got. */
export function kindOf(failure: unknown): string {
  if (failure instanceof ClusterRefused) {
    return `it answered ${failure.refusal.status}`;
  }
  const what = failure instanceof ClusterNotCalled ? 'no connection could be made' : 'no answer came';
  const { code } = ((failure as Error).cause ?? {}) as NodeJS.ErrnoException;
  return code === undefined ? what : `${what} (${code})`;
}

/** Of the cluster. That a gateway has no agent says nothing of it. */
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
 * What becomes of a gateway's agents says nothing of the cluster: where none is there it costs nothing to ask again, where
 * one was lost another carries the next call. An API server that is away behind them is heard of by those.
 *
 * An answer that says no, also when to come back, is from a cluster that is well. So is a 500 in an API server's own
 * words, and whatever admission says: a webhook chooses its HTTP status itself, and may be of one namespace only.
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
