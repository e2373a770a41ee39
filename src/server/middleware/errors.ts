import { isAbortError } from 'abort-controller-x';
import { type CallContext, ServerError, type ServerMiddlewareCall, Status } from 'nice-grpc-common';
import { LeaseholdError } from '../../shared/domain/errors.ts';
import { principalName } from '../../shared/domain/principal.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { withoutRepeats } from '../../shared/telemetry/without-repeats.ts';
import { actionOf, reasonOf } from '../audit.ts';
import type { CallerContext } from '../caller.ts';
import { addressOf } from '../limits/source-network.ts';
import type { RefusalFloods } from '../refusal-floods.ts';
import { internalError, statusOf } from './status-of.ts';

/** Health checks have no caller. */
type Context = CallContext & Partial<CallerContext>;

/**
 * Turns what the use cases throw into gRPC statuses. An internal error is logged here, with its cause, and repeats of
 * it once in a while; its caller is told only that there was one. `floods` sums up refusals where a caller gets too
 * many.
 */
export function errorsMiddleware(log: Logger, floods: RefusalFloods) {
  const tellFault = withoutRepeats((err, repeats) => log.error({ err, repeats }, 'call failed: internal error'));
  const tell = (rpc: string, { principal, peer }: Context, error: LeaseholdError, code: Status) => {
    const refusal = {
      principal: principal && principalName(principal),
      sourceIp: addressOf(peer),
      action: actionOf(rpc),
      code: Status[code],
      reason: reasonOf(error, code),
    };
    if (floods.isWritten(refusal)) {
      log.info({ rpc, err: error }, 'call refused');
    }
  };
  return async function* errors<Request, Response>(call: ServerMiddlewareCall<Request, Response>, context: Context) {
    try {
      return yield* call.next(call.request as Request, context);
    } catch (error) {
      if (error instanceof ServerError || isAbortError(error)) {
        throw error;
      }
      if (error instanceof LeaseholdError) {
        const status = statusOf(error);
        tell(call.method.path, context, error, status.code);
        throw status;
      }
      tellFault(faultOf(call.method.path, error));
      throw internalError();
    }
  };
}

/** `withoutRepeats` tells internal errors apart by their messages. */
function faultOf(rpc: string, cause: unknown): Error {
  return new Error(`${actionOf(rpc)}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}
