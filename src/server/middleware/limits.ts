import { type CallContext, ServerError, type ServerMiddlewareCall, Status } from 'nice-grpc-common';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { CallsUnderWay } from '../limits/calls-under-way.ts';

interface Limits {
  /** Calls of one caller at the same time. */
  maxCalls: number;
  /** For a call that is no stream; its caller's own deadline may come before. */
  callTimeoutMs: number;
}

/**
 * Bounds what one caller can have done at the same time, and for how long. A call counts until its work has ended, also
 * where its caller has left or was sent away before. `callerOf` names who it counts for;
 * `refused` is told of those that are too many.
 */
export function limitsMiddleware<Extra>(
  { maxCalls, callTimeoutMs }: Limits,
  callerOf: (context: CallContext & Extra) => string,
  log: Logger,
  refused: (rpc: string, context: Extra, error: unknown) => void = () => undefined,
) {
  const calls = new CallsUnderWay(maxCalls);
  const begin = (rpc: string, context: CallContext & Extra) => {
    try {
      return calls.begin(callerOf(context));
    } catch (error) {
      refused(rpc, context, error);
      throw error;
    }
  };
  return async function* limits<Request, Response>(
    call: ServerMiddlewareCall<Request, Response, Extra>,
    context: CallContext & Extra,
  ) {
    const end = begin(call.method.path, context);
    if (call.responseStream) {
      try {
        return yield* call.next(call.request as Request, context);
      } finally {
        end();
      }
    }
    const deadline = new Deadline(callTimeoutMs);
    const signal = AbortSignal.any([context.signal, deadline.signal]);
    const work = resultOf(call.next(call.request as Request, { ...context, signal })).finally(() => {
      deadline.clear();
      end();
    });
    work.catch((error: unknown) => {
      if (deadline.signal.aborted) {
        log.info({ rpc: call.method.path, err: error }, 'a call that had passed its time limit failed');
      }
    });
    return await Promise.race([work, deadline.passed]);
  };
}

/** What a call returns that is no stream. */
async function resultOf<Response>(steps: AsyncGenerator<never, Response, undefined>): Promise<Response> {
  const { value } = await steps.next();
  return value;
}

class Deadline {
  readonly #controller = new AbortController();
  readonly #passed = Promise.withResolvers<never>();
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.#passed.promise.catch(() => undefined);
    this.#timer = setTimeout(() => {
      this.#passed.reject(
        new ServerError(Status.DEADLINE_EXCEEDED, `the call took longer than the server allows: ${ms / 1000} s`),
      );
      this.#controller.abort();
    }, ms);
  }

  /** Aborts when it has passed. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Rejects when it has passed. */
  get passed(): Promise<never> {
    return this.#passed.promise;
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
