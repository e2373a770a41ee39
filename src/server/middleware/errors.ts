import { isAbortError } from 'abort-controller-x';
import { type CallContext, ServerError, type ServerMiddlewareCall, Status } from 'nice-grpc-common';
import { LeaseholdError } from '../../shared/domain/errors.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { statusOf } from './status-of.ts';

/**
 * Turns what the use cases throw into gRPC statuses. A fault of ours is logged here, once, with its cause; its caller
 * hears only that there was one.
 */
export function errorsMiddleware(log: Logger) {
  return async function* errors<Request, Response>(
    call: ServerMiddlewareCall<Request, Response>,
    context: CallContext,
  ) {
    try {
      return yield* call.next(call.request as Request, context);
    } catch (error) {
      if (error instanceof ServerError || isAbortError(error)) {
        throw error;
      }
      if (error instanceof LeaseholdError) {
        log.info({ rpc: call.method.path, err: error }, 'call refused');
        throw statusOf(error);
      }
      log.error({ rpc: call.method.path, err: error }, 'call failed: a fault of ours');
      throw new ServerError(Status.INTERNAL, 'a fault of the server; its log has the cause under this trace');
    }
  };
}
