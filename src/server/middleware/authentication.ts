import { isIP } from 'node:net';
import { trace } from '@opentelemetry/api';
import type { CallContext, Metadata, ServerMiddlewareCall } from 'nice-grpc-common';
import { LeaseholdError, Unauthenticated } from '../../shared/domain/errors.ts';
import { Secret } from '../../shared/domain/secret.ts';
import { asWorkOf, principalAttributes } from '../../shared/telemetry/current-caller.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { CallerContext } from '../caller.ts';
import type { Doors } from '../doors.ts';
import { statusOf } from './status-of.ts';

/** A stream ends without a result. */
type ResultOf<Steps> = Steps extends AsyncGenerator<unknown, infer Result> ? Result : never;

/** RFC 6750, section 2.1. HTTP/2 limits its length. */
const BEARER = /^bearer +([\x21-\x7e]+)$/i;

/** Finds out who calls, and has everything that the call does say so. A call of nobody gets no further. */
export function authenticationMiddleware(doors: Doors, log: Logger) {
  return async function* authentication<Request, Response>(
    call: ServerMiddlewareCall<Request, Response, CallerContext>,
    context: CallContext,
  ) {
    const caller = await identify(doors, context).catch((error: unknown) => {
      throw refused(error, log, { rpc: call.method.path, source: sourceIp(context.peer) });
    });
    trace.getActiveSpan()?.setAttributes(principalAttributes(caller.principal));
    const steps = call.next(call.request as Request, { ...context, ...caller });
    return yield* asWorkOf<Response, ResultOf<typeof steps>>(caller.principal, steps);
  };
}

async function identify(
  { transport: { isTls, clientCertificates }, authenticate }: Doors,
  { metadata, peer }: CallContext,
): Promise<CallerContext> {
  const certificate = clientCertificates?.shownIn(metadata);
  const principal = await authenticate({ certificate, bearer: bearerIn(metadata), now: Date.now() });
  const secure = certificate ? 'mtls' : 'tls';
  return { principal, origin: { sourceIp: sourceIp(peer), transport: isTls ? secure : 'plaintext' } };
}

/** Written down once, here, without what was shown. */
function refused(error: unknown, log: Logger, call: { rpc: string; source: string | undefined }): unknown {
  if (!(error instanceof LeaseholdError)) {
    log.error({ ...call, err: error }, 'a caller could not be identified: a fault of ours');
    return error;
  }
  log.info({ ...call, err: error }, 'caller refused');
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
