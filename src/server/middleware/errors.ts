import { isAbortError } from 'abort-controller-x';
import { type CallContext, ServerError, type ServerMiddlewareCall, Status } from 'nice-grpc-common';
import { LeaseholdError } from '../../shared/domain/errors.ts';
import { principalName } from '../../shared/domain/principal.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { actionOf, reasonOf } from '../audit.ts';
import type { CallerContext } from '../caller.ts';
import { addressOf } from '../limits/source-network.ts';
import type { RefusalFloods } from '../refusal-floods.ts';
import { statusOf } from './status-of.ts';

/** Health checks have no caller. */
type Context = CallContext & Partial<CallerContext>;

/**
 * Turns what the use cases throw into gRPC statuses. A fault of ours is logged here, once, with its cause; its caller
 * hears only that there was one. `floods` has the lines summed up that a caller makes too many of.
 */
export function errorsMiddleware(log: Logger, floods: RefusalFloods) {
  const tell = (rpc: string, { principal, peer }: Context, error: unknown, code: Status) => {
    const refusal = {
      principal: principal && principalName(principal),
      sourceIp: addressOf(peer),
      action: actionOf(rpc),
      code: Status[code],
      reason: reasonOf(error, code),
    };
    if (!floods.isWritten(refusal)) {
      return;
    }
    if (error instanceof LeaseholdError) {
      log.info({ rpc, err: error }, 'call refused');
    } else {
      log.error({ rpc, err: error }, 'call failed: a fault of ours');
    }
  };
  return async function* errors<Request, Response>(call: ServerMiddlewareCall<Request, Response>, context: Context) {
    try {
      return yield* call.next(call.request as Request, context);
    } catch (error) {
      if (error instanceof ServerError || isAbortError(error)) {
        throw error;
      }
      const status = error instanceof LeaseholdError ? statusOf(error) : internalError();
      tell(call.method.path, context, error, status.code);
      throw status;
    }
  };
}

function internalError(): ServerError {
  return new ServerError(Status.INTERNAL, 'a fault of the server; its log has the cause under this trace');
}
