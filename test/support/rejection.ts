import { ClientError, type Status } from 'nice-grpc';
import { RichClientError } from 'nice-grpc-error-details';

/** What a caller sees of a failed call. */
export interface Rejection {
  code: Status;
  message: string;
  /** Fields of BadRequest. */
  fields: string[];
  /** ErrorInfo. */
  reason: string | undefined;
  metadata: Record<string, string>;
  /** Subjects of QuotaFailure. */
  quotas: string[];
  /** Whether RetryInfo says that a retry helps. */
  retry: boolean;
}

/** Waits for a call to fail, and tells how. Throws where it does not, or not with a gRPC status. */
export async function rejectionOf(call: Promise<unknown>): Promise<Rejection> {
  const error = await call.then(
    (answer) => new Error(`expected a failure, got ${JSON.stringify(answer, bigintAsString)}`),
    (failure: unknown) => failure,
  );
  if (!(error instanceof ClientError)) {
    throw error;
  }
  const rejection: Rejection = {
    code: error.code,
    message: error.details,
    fields: [],
    reason: undefined,
    metadata: {},
    quotas: [],
    retry: false,
  };
  for (const detail of error instanceof RichClientError ? error.extra : []) {
    if (detail.$type === 'google.rpc.BadRequest') {
      rejection.fields.push(...detail.fieldViolations.map(({ field }) => field));
    } else if (detail.$type === 'google.rpc.ErrorInfo') {
      rejection.reason = detail.reason;
      rejection.metadata = detail.metadata;
    } else if (detail.$type === 'google.rpc.QuotaFailure') {
      rejection.quotas.push(...detail.violations.map(({ subject }) => subject));
    } else if (detail.$type === 'google.rpc.RetryInfo') {
      rejection.retry = true;
    }
  }
  return rejection;
}

function bigintAsString(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
