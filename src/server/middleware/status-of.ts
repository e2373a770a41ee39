import { Status } from 'nice-grpc-common';
import {
  BadRequest,
  type ErrorDetails,
  ErrorInfo,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
  RichServerError,
} from 'nice-grpc-error-details';
import {
  ClusterAddressNotAllowed,
  type ClusterCall,
  ClusterError,
  ClusterNotDone,
  ClusterNotTrusted,
  ClusterRefused,
  GatewayNotConnected,
  GatewayRefused,
  type Refusal,
  rbacResource,
} from '../../shared/domain/cluster-error.ts';
import {
  Aborted,
  AlreadyExists,
  DataLoss,
  FailedPrecondition,
  InvalidArgument,
  type LeaseholdError,
  NotFound,
  PermissionDenied,
  ResourceExhausted,
  Unauthenticated,
  Unavailable,
} from '../../shared/domain/errors.ts';

/** google.rpc.ErrorInfo.domain of all our reasons. */
const DOMAIN = 'leasehold.dev';

/** What to wait where nobody said how long. */
const DEFAULT_RETRY_MS = 1_000;

/** Errors of which the reason says all that a program may act upon. */
const TOLD_BY_REASON = [
  [AlreadyExists, Status.ALREADY_EXISTS],
  [FailedPrecondition, Status.FAILED_PRECONDITION],
  [Unauthenticated, Status.UNAUTHENTICATED],
  [PermissionDenied, Status.PERMISSION_DENIED],
  [DataLoss, Status.DATA_LOSS],
] as const;

/** The gRPC status of an error that callers are meant to see, with its google.rpc details (AIP-193). */
export function statusOf(error: LeaseholdError): RichServerError {
  const { code, details } = error instanceof ResourceExhausted ? exhausted(error) : codeAndDetails(error);
  return new RichServerError(code, error.message, details);
}

function exhausted({ reason, message, subject, retryAfterMs }: ResourceExhausted) {
  const quota = QuotaFailure.fromPartial({ violations: [{ subject, description: message }] });
  return { code: Status.RESOURCE_EXHAUSTED, details: [errorInfo(reason), quota, retryInfo(retryAfterMs)] };
}

function codeAndDetails(error: LeaseholdError): { code: Status; details: ErrorDetails[] } {
  if (error instanceof InvalidArgument) {
    return {
      code: Status.INVALID_ARGUMENT,
      details: [BadRequest.fromPartial({ fieldViolations: [...error.violations] })],
    };
  }
  if (error instanceof NotFound) {
    const { resourceType, resourceName } = error;
    const details = [
      errorInfo(`${resourceType.toUpperCase()}_NOT_FOUND`),
      ResourceInfo.fromPartial({ resourceType, resourceName }),
    ];
    return { code: Status.NOT_FOUND, details };
  }
  for (const [type, code] of TOLD_BY_REASON) {
    if (error instanceof type) {
      return { code, details: [errorInfo(error.reason)] };
    }
  }
  if (error instanceof Aborted) {
    return { code: Status.ABORTED, details: [errorInfo(error.reason), retryInfo()] };
  }
  if (error instanceof Unavailable) {
    return { code: Status.UNAVAILABLE, details: [errorInfo(error.reason), retryInfo()] };
  }
  if (error instanceof ClusterError) {
    return ofCluster(error);
  }
  return { code: Status.UNKNOWN, details: [] };
}

function ofCluster(error: ClusterError): { code: Status; details: ErrorDetails[] } {
  if (error instanceof ClusterRefused) {
    return refused(error.call, error.refusal);
  }
  if (error instanceof ClusterNotTrusted) {
    return {
      code: Status.FAILED_PRECONDITION,
      details: [errorInfo('CLUSTER_CERTIFICATE_NOT_TRUSTED', callMetadata(error.call))],
    };
  }
  if (error instanceof ClusterAddressNotAllowed) {
    return {
      code: Status.FAILED_PRECONDITION,
      details: [errorInfo('CLUSTER_ADDRESS_NOT_ALLOWED', callMetadata(error.call))],
    };
  }
  if (error instanceof GatewayRefused) {
    const metadata = { ...callMetadata(error.call), gateway: error.gateway };
    return { code: Status.FAILED_PRECONDITION, details: [errorInfo('GATEWAY_REFUSED', metadata)] };
  }
  if (error instanceof GatewayNotConnected) {
    const metadata = { ...callMetadata(error.call), gateway: error.gateway };
    return { code: Status.UNAVAILABLE, details: [errorInfo('GATEWAY_NOT_CONNECTED', metadata), retryInfo()] };
  }
  const reason = error instanceof ClusterNotDone ? 'CLUSTER_NOT_DONE' : 'CLUSTER_UNREACHABLE';
  return {
    code: Status.UNAVAILABLE,
    details: [errorInfo(reason, callMetadata(error.call)), retryInfo(error.retryAfterMs)],
  };
}

const REFUSAL_REASONS: Record<number, string> = {
  401: 'CLUSTER_UNAUTHENTICATED',
  403: 'CLUSTER_FORBIDDEN',
  404: 'CLUSTER_NOT_FOUND',
};

/** A cluster that is overloaded or broken may do better later; any other refusal stays until somebody changes something. */
function refused(call: ClusterCall, refusal: Refusal): { code: Status; details: ErrorDetails[] } {
  const metadata = {
    ...callMetadata(call),
    http_status: String(refusal.status),
    cluster_message: refusal.message,
  };
  if (refusal.status === 429 || refusal.status >= 500) {
    return {
      code: Status.UNAVAILABLE,
      details: [errorInfo('CLUSTER_OVERLOADED', metadata), retryInfo(refusal.retryAfterMs)],
    };
  }
  const reason = REFUSAL_REASONS[refusal.status] ?? 'CLUSTER_REFUSED';
  return { code: Status.FAILED_PRECONDITION, details: [errorInfo(reason, metadata)] };
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

function errorInfo(reason: string, metadata: Record<string, string> = {}): ErrorInfo {
  return ErrorInfo.fromPartial({ reason, domain: DOMAIN, metadata });
}

function retryInfo(afterMs = DEFAULT_RETRY_MS): RetryInfo {
  const ms = Math.round(afterMs);
  return RetryInfo.fromPartial({
    retryDelay: { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 },
  });
}
