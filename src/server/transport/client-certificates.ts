import type { X509Certificate } from 'node:crypto';
import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import { TLSSocket } from 'node:tls';
import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { AcceptTimes } from './accept-times.ts';
import { streamOf } from './call-stream.ts';
import { type ClientCas, isIssuedByOneOf, isValid } from './client-cas.ts';

type Session = Http2Session & { socket: TLSSocket };

/**
 * Looks at the client certificates of connections again with each call: certificates end, and CAs are taken away. OpenSSL
 * verifies each connection once, by the CAs of that moment. After that no more than the client's own certificate is
 * known (Node does not tell a server of the others in its chain), so a connection that is older than the CAs goes on
 * only where one of them issued that itself.
 *
 * Other connections are closed when what is under way on them has ended. A call that still comes on one is given back
 * unprocessed (REFUSED_STREAM, RFC 9113, 8.7): gRPC clients make it again by themselves, on a new connection, which is
 * verified in full. So a client whose certificate is good by now loses no call.
 */
export class ClientCertificates {
  readonly #cas: () => ClientCas;
  readonly #acceptTimes = new AcceptTimes();
  readonly #sessions = new Set<Session>();
  /** As OpenSSL verified them, once for each connection. */
  readonly #certificates = new WeakMap<Session, X509Certificate>();
  #casSince = Number.NEGATIVE_INFINITY;

  constructor(cas: () => ClientCas) {
    this.#cas = cas;
  }

  /** For the credentials of a server. */
  readonly interceptor: ServerInterceptor = (_, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            if (this.#admit(streamOf(call))) {
              pass(metadata);
            }
          },
        }),
    });

  /** The client's certificate, of a call that passed the interceptor; undefined: it showed none. */
  shownOn({ session }: ServerHttp2Stream): X509Certificate | undefined {
    return isOverTls(session) ? this.#certificateOf(session) : undefined;
  }

  /** To be called when new connections are verified by other CAs. */
  casReplaced(): void {
    this.#casSince = performance.now();
    for (const session of this.#sessions) {
      if (!this.#isGood(session)) {
        session.close();
      }
    }
  }

  close(): void {
    this.#acceptTimes.close();
  }

  /** Whether the call may go on. */
  #admit(stream: ServerHttp2Stream): boolean {
    const { session } = stream;
    if (!isOverTls(session)) {
      // Its connection is gone: nobody gets an answer.
      return false;
    }
    this.#remember(session);
    if (!this.#isGood(session)) {
      session.close();
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return false;
    }
    return true;
  }

  /** One without a certificate is as good as it ever was. */
  #isGood(session: Session): boolean {
    const certificate = this.#certificateOf(session);
    const now = Date.now();
    return (
      !certificate ||
      (isValid(certificate, now) &&
        (this.#acceptTimes.of(session.socket) > this.#casSince || isIssuedByOneOf(this.#cas(), certificate, now)))
    );
  }

  #certificateOf(session: Session): X509Certificate | undefined {
    const known = this.#certificates.get(session) ?? verifiedCertificate(session);
    if (known) {
      this.#certificates.set(session, known);
    }
    return known;
  }

  #remember(session: Session): void {
    if (!this.#sessions.has(session)) {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    }
  }
}

function isOverTls(session: Http2Session | undefined): session is Session {
  return session?.socket instanceof TLSSocket;
}

function verifiedCertificate({ socket }: Session): X509Certificate | undefined {
  return socket.authorized ? socket.getPeerX509Certificate() : undefined;
}
