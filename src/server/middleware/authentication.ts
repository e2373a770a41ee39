import { trace } from '@opentelemetry/api';
import type { CallContext, ServerMiddlewareCall } from 'nice-grpc-common';
import type { Principal } from '../../shared/domain/principal.ts';
import { asWorkOf, principalAttributes } from '../../shared/telemetry/current-caller.ts';
import type { CallerContext } from '../caller.ts';

/** A stream ends without a result. */
type ResultOf<Steps> = Steps extends AsyncGenerator<unknown, infer Result> ? Result : never;

const TESTS: Principal = { kind: 'api-key', id: 'tests', issuer: 'leasehold', groups: ['admins'] };

/** Finds out who calls, and has everything that the call does say so. */
export function authenticationMiddleware() {
  return async function* authentication<Request, Response>(
    call: ServerMiddlewareCall<Request, Response, CallerContext>,
    context: CallContext,
  ) {
    const principal = TESTS;
    trace.getActiveSpan()?.setAttributes(principalAttributes(principal));
    const origin = { sourceIp: undefined, transport: 'plaintext' } as const;
    const steps = call.next(call.request as Request, { ...context, principal, origin });
    return yield* asWorkOf<Response, ResultOf<typeof steps>>(principal, steps);
  };
}
