import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { UnauthenticatedCalls } from '../limits/unauthenticated-calls.ts';
import { giveWay } from '../middleware/anonymous-calls.ts';
import { boundBytes } from '../middleware/bound-bytes.ts';
import { NewCall } from '../middleware/new-call.ts';
import type { UnauthenticatedConnections } from '../transport/unauthenticated-connections.ts';

/** Bounds calls of the relay until their callers have proven who they are, which they do by messages. */
export class UnprovenCalls {
  readonly #connections: UnauthenticatedConnections;
  readonly #calls = new UnauthenticatedCalls();
  /** What lifts the bounds of a call. */
  readonly #bounds = new WeakMap<Metadata, () => void>();

  constructor(connections: UnauthenticatedConnections) {
    this.#connections = connections;
  }

  readonly interceptor: ServerInterceptor = ({ path }, inner) =>
    new ServerInterceptingCall(inner, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            this.#bound(new NewCall(path, metadata, inner));
            pass(metadata);
          },
        }),
    });

  readonly proven = ({ metadata }: { metadata: Metadata }): void => {
    this.#bounds.get(metadata)?.();
  };

  #bound(call: NewCall): void {
    const { stream } = call;
    const leave = this.#calls.begin(call.network, (error) => giveWay(call, error));
    const lift = boundBytes(call);
    stream.once('close', leave);
    this.#bounds.set(call.metadata, () => {
      leave();
      lift();
      this.#connections.authenticated(stream.session);
    });
  }
}
