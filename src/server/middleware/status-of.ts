import { ServerError, Status } from 'nice-grpc-common';
import {
  BadRequest,
  ErrorInfo,
  QuotaFailure,
  QuotaFailure_Violation,
  ResourceInfo,
  RetryInfo,
  RichServerError,
} from 'nice-grpc-error-details';
import {
  ClusterAddressNotAllowed,
  type ClusterCall,
  ClusterClockDiffers,
  ClusterError,
  ClusterNotDone,
  ClusterNotTrusted,
  ClusterRefused,
  GatewayNotConnected,
  GatewayRefused,
  rbacResource,
} from '../../shared/domain/cluster-error.ts';
import {
  InvalidArgument,
  type LeaseholdError,
  NotFound,
  ReasonedError,
  ResourceExhausted,
} from '../../shared/domain/errors.ts';
import { REASONS, type Reason } from '../../shared/domain/reasons.ts';
import { type Detail, withinBudget } from './error-budget.ts';

/** google.rpc.ErrorInfo.domain of all our reasons. */
const DOMAIN = 'leasehold.dev';

/** What to wait where nobody said how long. */
const DEFAULT_RETRY_MS = 1_000;

/** A quota is freed by people and by the ends of other things. */
const RETRY_WHEN_QUOTA_IS_FULL_MS = 30_000;

/** The codes after which the same call may succeed, without that anybody changes something (AIP-194, RetryInfo). */
const MAY_PASS = new Set([Status.UNAVAILABLE, Status.ABORTED, Status.RESOURCE_EXHAUSTED]);

/** What an error is told with. `reason`: undefined where the request is wrong by itself. */
interface Telling {
  reason?: Reason;
  metadata?: Record<string, string>;
  retryAfterMs?: number | undefined;
  /** Beside ErrorInfo and RetryInfo. */
  more?: Detail[];
}

type ClusterTelling = Telling & { reason: Reason };

/** The status of any other error: what it says is for the log. */
export function internalError(): ServerError {
  return new ServerError(Status.INTERNAL, 'internal error; see the server log for this trace ID');
}

/** The gRPC status of an error that callers are meant to see, with its google.rpc details (AIP-193). */
export function statusOf(error: LeaseholdError): RichServerError {
  if (error instanceof InvalidArgument) {
    const badRequest = BadRequest.fromPartial({ fieldViolations: [...error.violations] });
    return richError(Status.INVALID_ARGUMENT, error.message, [badRequest]);
  }
  const { reason, metadata = {}, retryAfterMs, more = [] } = tellingOf(error);
  if (reason === undefined) {
    return richError(Status.UNKNOWN, error.message, []);
  }
  const code = Status[REASONS[reason][0]];
  const retry = MAY_PASS.has(code) ? [retryInfo(retryAfterMs)] : [];
  const info = ErrorInfo.fromPartial({ reason, domain: DOMAIN, metadata });
  return richError(code, error.message, [info, ...retry, ...more]);
}

/** `details`: those of most worth first. */
function richError(code: Status, text: string, all: Detail[]): RichServerError {
  const { message, details } = withinBudget({ message: text, details: all });
  return new RichServerError(code, message, details);
}

function tellingOf(error: LeaseholdError): Telling {
  if (error instanceof ResourceExhausted) {
    const { reason, message, subject, retryAfterMs } = error;
    return { reason, retryAfterMs, more: [quotaFailure(subject, message)] };
  }
  if (error instanceof NotFound) {
    const { reason, resourceType, resourceName } = error;
    return { reason, more: [ResourceInfo.fromPartial({ resourceType, resourceName })] };
  }
  if (error instanceof ReasonedError) {
    return { reason: error.reason };
  }
  return error instanceof ClusterError ? advised(ofCluster(error)) : {};
}

/** Whoever is told may be none who knows clusters. */
function advised(telling: ClusterTelling): ClusterTelling {
  const [, , advice] = REASONS[telling.reason];
  return { ...telling, metadata: { ...telling.metadata, advice } };
}

function ofCluster(error: ClusterError): ClusterTelling {
  const metadata = callMetadata(error.call);
  const { retryAfterMs } = error;
  if (error instanceof ClusterRefused) {
    return refused(error, metadata);
  }
  if (error instanceof ClusterNotTrusted) {
    return { reason: 'CLUSTER_CERTIFICATE_NOT_TRUSTED', metadata };
  }
  if (error instanceof ClusterAddressNotAllowed) {
    return { reason: 'CLUSTER_ADDRESS_NOT_ALLOWED', metadata };
  }
  if (error instanceof ClusterClockDiffers) {
    const { cluster, aheadSeconds } = error;
    const whose = { clock: 'api-server', cluster, ahead_seconds: String(aheadSeconds) };
    return { reason: 'CLOCKS_DIFFER', metadata: { ...metadata, ...whose } };
  }
  if (error instanceof GatewayRefused) {
    return { reason: 'GATEWAY_REFUSED', metadata: { ...metadata, gateway: error.gateway } };
  }
  if (error instanceof GatewayNotConnected) {
    return { reason: 'GATEWAY_NOT_CONNECTED', metadata: { ...metadata, gateway: error.gateway } };
  }
  return {
    reason: error instanceof ClusterNotDone ? 'CLUSTER_NOT_DONE' : 'CLUSTER_UNREACHABLE',
    metadata,
    retryAfterMs,
  };
}

function refused({ reason, refusal, call }: ClusterRefused, metadata: Record<string, string>): ClusterTelling {
  const isQuota = reason === 'CLUSTER_QUOTA_EXCEEDED';
  return {
    reason,
    metadata: { ...metadata, http_status: String(refusal.status), cluster_message: refusal.message },
    retryAfterMs: refusal.retryAfterMs ?? (isQuota ? RETRY_WHEN_QUOTA_IS_FULL_MS : undefined),
    more: isQuota ? [quotaFailure(`namespace:${call.namespace ?? ''}`, REASONS[reason][1])] : [],
  };
}

function callMetadata(call: ClusterCall): Record<string, string> {
  return {
    verb: call.verb,
    api_group: call.apiGroup,
    resource: rbacResource(call),
    namespace: call.namespace ?? '',
    name: call.name ?? '',
  };
}

function quotaFailure(subject: string, description: string): QuotaFailure {
  return QuotaFailure.fromPartial({ violations: [QuotaFailure_Violation.fromPartial({ subject, description })] });
}

function retryInfo(afterMs = DEFAULT_RETRY_MS): RetryInfo {
  const ms = Math.round(afterMs);
  return RetryInfo.fromPartial({
    retryDelay: { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 },
  });
}
