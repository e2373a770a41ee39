import { isIP } from 'node:net';
import { trace } from '@opentelemetry/api';
import { type CallContext, type Metadata, ServerError, type ServerMiddlewareCall, Status } from 'nice-grpc-common';
import { LeaseholdError, Unauthenticated, Unavailable } from '../../shared/domain/errors.ts';
import { Secret } from '../../shared/domain/secret.ts';
import type { Origin } from '../../shared/ports/authorizer.ts';
import { asWorkOf, principalAttributes } from '../../shared/telemetry/current-caller.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { type Audit, actionOf } from '../audit.ts';
import type { CallerContext } from '../caller.ts';
import type { Doors } from '../doors.ts';
import { statusOf } from './status-of.ts';

/** A stream ends without a result. */
type ResultOf<Steps> = Steps extends AsyncGenerator<unknown, infer Result> ? Result : never;

/** RFC 6750, section 2.1. HTTP/2 limits its length. */
const BEARER = /^bearer +([\x21-\x7e]+)$/i;

/** Finds out who calls, and has everything that the call does say so. A call of nobody gets no further. */
export function authenticationMiddleware(doors: Doors, log: Logger, audit: Audit) {
  return async function* authentication<Request, Response>(
    call: ServerMiddlewareCall<Request, Response, CallerContext>,
    context: CallContext,
  ) {
    const caller = await identify(doors, context).catch((error: unknown) => {
      audit({ principal: undefined, action: actionOf(call.method.path), origin: originOf(doors, context), error });
      throw refused(error, log, call.method.path);
    });
    trace.getActiveSpan()?.setAttributes(principalAttributes(caller.principal));
    const steps = call.next(call.request as Request, { ...context, ...caller });
    return yield* asWorkOf<Response, ResultOf<typeof steps>>(caller.principal, steps);
  };
}

async function identify(doors: Doors, context: CallContext): Promise<CallerContext> {
  const { metadata } = context;
  const certificate = doors.transport.clientCertificates?.shownIn(metadata);
  const principal = await doors.authenticate({ certificate, bearer: bearerIn(metadata), now: Date.now() });
  return { principal, origin: originOf(doors, context) };
}

function originOf({ transport: { isTls, clientCertificates } }: Doors, { metadata, peer }: CallContext): Origin {
  const secure = clientCertificates?.shownIn(metadata) ? 'mtls' : 'tls';
  return { sourceIp: sourceIp(peer), transport: isTls ? secure : 'plaintext' };
}

/** The audit event tells of refusals; why somebody could not be asked needs more, which it does not hold. */
function refused(error: unknown, log: Logger, rpc: string): unknown {
  if (!(error instanceof LeaseholdError)) {
    log.error({ rpc, err: error }, 'a caller could not be identified: a fault of ours');
    return new ServerError(Status.INTERNAL, 'a fault of the server; its log has the cause under this trace');
  }
  if (error instanceof Unavailable) {
    log.warn({ rpc, err: error }, 'a caller could not be identified');
  }
  return statusOf(error);
}

function bearerIn(metadata: Metadata): Secret | undefined {
  const [shown, ...more] = metadata.getAll('authorization');
  if (shown === undefined) {
    return undefined;
  }
  const token = BEARER.exec(shown)?.[1];
  if (token === undefined || more.length > 0) {
    throw new Unauthenticated('CREDENTIALS_INVALID', 'metadata `authorization` must be one `Bearer ` and the token');
  }
  return new Secret(token);
}

/** Of `address:port`, whose IPv6 addresses have no brackets. */
function sourceIp(peer: string): string | undefined {
  const address = peer.replace(/:\d+$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
  return isIP(address) ? address : undefined;
}
