import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { trace } from '@opentelemetry/api';
import { type CallContext, ServerError, type ServerMiddlewareCall, Status } from 'nice-grpc-common';
import { LeaseholdError, Unavailable } from '../../shared/domain/errors.ts';
import { type Principal, principalName } from '../../shared/domain/principal.ts';
import type { Origin } from '../../shared/ports/authorizer.ts';
import { asWorkOf, principalAttributes } from '../../shared/telemetry/current-caller.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { withoutRepeats } from '../../shared/telemetry/without-repeats.ts';
import { type AuditLog, actionOf } from '../audit.ts';
import { bearerIn, forwardedCertificateIn } from '../authentication/bearer-in.ts';
import type { CallerContext } from '../caller.ts';
import type { Doors } from '../doors.ts';
import type { CallsUnderWay } from '../limits/calls-under-way.ts';
import { UnauthenticatedCalls } from '../limits/unauthenticated-calls.ts';
import type { ConnectionsOfCallers } from '../transport/connections-of-callers.ts';
import type { UnauthenticatedConnections } from '../transport/unauthenticated-connections.ts';
import { admitAnonymous, isAnonymous } from './anonymous-calls.ts';
import { NewCall } from './new-call.ts';
import { inOwnSpan } from './own-span.ts';
import { internalError, statusOf } from './status-of.ts';

/** A stream ends without a result. */
type ResultOf<Steps> = Steps extends AsyncGenerator<unknown, infer Result> ? Result : never;

/** Metadata in which the interceptor names a call to the middleware. What a client sends in it is replaced. */
const CALL = 'leasehold-call';

interface AuthenticationConfig {
  doors: Doors;
  connections: UnauthenticatedConnections;
  connectionsOfCallers: ConnectionsOfCallers;
  /** Counts the requests that each caller is sending. */
  requests: CallsUnderWay;
  log: Logger;
  audit: AuditLog;
}

/**
 * Finds out who calls when the headers of a call have come, and before its request is read: grpc-js leaves a stream
 * paused until its headers are passed on, so HTTP/2's flow control stops the sender. A call without good credentials
 * gets no further. `interceptor` does that; `middleware` gives what it found out to the code of the call.
 */
export class Authentication {
  readonly #config: AuthenticationConfig;
  readonly #calls = new UnauthenticatedCalls();
  readonly #tell: (error: Error) => void;
  /** By the name of the call, until its stream is closed. */
  readonly #callers = new Map<string, CallerContext>();
  #count = 0;

  constructor(config: AuthenticationConfig) {
    this.#config = config;
    this.#tell = tellingOnceInAWhile(config.log);
  }

  readonly interceptor: ServerInterceptor = ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            // What it carries would go on to others with the calls that are made for this one.
            metadata.remove('baggage');
            void this.#admit(new NewCall(path, metadata, call), () => pass(metadata));
          },
        }),
    });

  /** For all services but health checking. Has everything that a call does say who called. */
  readonly middleware = <Request, Response>(
    call: ServerMiddlewareCall<Request, Response, CallerContext>,
    context: CallContext,
  ) => this.#asCaller(call, context);

  async *#asCaller<Request, Response>(
    call: ServerMiddlewareCall<Request, Response, CallerContext>,
    context: CallContext,
  ) {
    const caller = this.#callers.get(context.metadata.get(CALL) ?? '');
    if (!caller) {
      throw new ServerError(Status.CANCELLED, 'the caller has left');
    }
    trace.getActiveSpan()?.setAttributes(principalAttributes(caller.principal));
    const steps = call.next(call.request as Request, { ...context, ...caller });
    return yield* asWorkOf<Response, ResultOf<typeof steps>>(caller.principal, steps);
  }

  async #admit(call: NewCall, pass: () => void): Promise<void> {
    if (isAnonymous(call.path)) {
      admitAnonymous(call, { connections: this.#config.connections, calls: this.#calls });
      pass();
      return;
    }
    const principal = await this.#identify(call);
    if (principal && !call.isOver && this.#remember(call, principal)) {
      pass();
    }
  }

  /** Undefined: the call was refused. */
  async #identify(call: NewCall): Promise<Principal | undefined> {
    const { connections, connectionsOfCallers, doors } = this.#config;
    const { metadata, stream } = call;
    const giveWay = (error: unknown) => this.#refuse(call, undefined, error);
    let leave = this.#calls.begin(call.network, giveWay);
    stream.once('close', () => leave());
    try {
      const certificate = doors.transport.clientCertificates?.shownOn(stream);
      const principal = await doors.authenticate({
        certificate,
        bearer: bearerIn(metadata, certificate),
        forwardedCertificate: forwardedCertificateIn(metadata),
        sourceIp: call.sourceIp,
        onProven: (account) => {
          leave();
          leave = this.#calls.beginProven(account, giveWay);
        },
        now: Date.now(),
      });
      connections.authenticated(stream.session);
      connectionsOfCallers.called(stream, principalName(principal));
      return principal;
    } catch (error) {
      this.#refuse(call, undefined, error);
      return undefined;
    } finally {
      leave();
    }
  }

  /** Keeps who calls for the middleware. Refuses the call where its caller sends too many requests at the same time. */
  #remember(call: NewCall, principal: Principal): boolean {
    const { metadata, stream } = call;
    try {
      const received = this.#config.requests.begin(`principal:${principalName(principal)}`);
      stream.once('end', received).once('close', received);
    } catch (error) {
      this.#refuse(call, principal, error);
      return false;
    }
    this.#count += 1;
    const name = String(this.#count);
    metadata.set(CALL, name);
    this.#callers.set(name, { principal, origin: this.#originOf(call) });
    stream.once('close', () => this.#callers.delete(name));
    return true;
  }

  #originOf({ sourceIp, stream }: NewCall): Origin {
    const { isTls, clientCertificates } = this.#config.doors.transport;
    const secure = clientCertificates?.shownOn(stream) ? 'mtls' : 'tls';
    return { sourceIp, transport: isTls ? secure : 'plaintext' };
  }

  #refuse(call: NewCall, principal: Principal | undefined, error: unknown): void {
    if (call.isRefused) {
      return;
    }
    const status = inOwnSpan(call.path, () => {
      const isTold = this.#config.audit({
        principal,
        action: actionOf(call.path),
        origin: this.#originOf(call),
        error,
      });
      return { error: refused(error, this.#tell), isTold };
    });
    void call.refuse(status);
  }
}

/** The audit event tells of refusals; why somebody could not be asked needs more, which it does not hold. */
function refused(error: unknown, tell: (error: Error) => void): ServerError {
  if (!(error instanceof LeaseholdError)) {
    tell(error instanceof Error ? error : new Error(String(error)));
    return internalError();
  }
  if (error instanceof Unavailable) {
    tell(error);
  }
  return statusOf(error);
}

/** Anyone may provoke it, as often as they like. The audit events have the count. */
function tellingOnceInAWhile(log: Logger): (error: Error) => void {
  return withoutRepeats((err, repeats) =>
    err instanceof LeaseholdError
      ? log.warn({ err, repeats }, 'a caller could not be identified')
      : log.error({ err, repeats }, 'a caller could not be identified: internal error'),
  );
}
