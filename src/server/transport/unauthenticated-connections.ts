import type { Http2SecureServer, Http2Session, ServerHttp2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { FairRoom } from '../limits/fair-room.ts';
import { sourceNetwork } from '../limits/source-network.ts';
import { connectionId } from './connection-id.ts';
import { MAX_HEADER_BYTES } from './early-headers.ts';
import { watchingServers } from './listening-servers.ts';

interface UnauthenticatedBounds {
  max: number;
  /** Streams of a connection at the same time, once a call on it was authenticated. */
  maxStreams: number;
  /** Default: `IDLE_MS`. */
  idleMs?: number;
}

/** How long a connection may stay without a call that is authenticated, or one that needs no authentication. */
const IDLE_MS = 20_000;

/**
 * What HTTP/2 lets a connection hold until a call on it is authenticated. Node makes a stream, with all of its headers,
 * of each HEADERS frame before any code of ours runs, and a header of 4 KiB that is repeated by its index (HPACK, RFC
 * 7541) is one byte on the wire. Clients queue what goes beyond the streams, or try it again (REFUSED_STREAM, RFC 9113,
 * 8.7).
 */
const UNAUTHENTICATED = { maxConcurrentStreams: 8, maxHeaderListSize: MAX_HEADER_BYTES };

interface Connection {
  socket: Socket;
  session?: ServerHttp2Session;
  /** Calls under way that need no authentication. */
  anonymousCalls: number;
  timer: NodeJS.Timeout;
  leave: () => void;
}

/**
 * Bounds the connections whose callers are not known yet: from the moment that TCP accepts them, through their TLS
 * handshake, to their first authenticated call. One network may have half of them. Where there are too many, the oldest
 * one of the network with the most is closed, so a new caller can always come and say who it is.
 *
 * What they cost is measured by bench/unauthenticated.ts; docs/architecture.md has the sum.
 */
export class UnauthenticatedConnections {
  readonly #room: FairRoom;
  readonly #evicted: () => void;
  readonly #idleMs: number;
  readonly #maxStreams: number;
  /** Those that have no session yet. */
  readonly #handshakes = new Map<string, Connection>();
  readonly #sessions = new WeakMap<Http2Session, Connection>();

  /** `evicted` is told of each connection that is closed because there are too many. */
  constructor({ max, maxStreams, idleMs = IDLE_MS }: UnauthenticatedBounds, evicted: () => void) {
    this.#maxStreams = maxStreams;
    this.#room = new FairRoom({ max, maxPerGroup: Math.ceil(max / 2) });
    this.#evicted = evicted;
    this.#idleMs = idleMs;
  }

  /** Runs `listen`, and bounds the connections of each server that it has listen. */
  bounding<T>(listen: () => Promise<T>): Promise<T> {
    return watchingServers((server) => this.#watch(server), listen);
  }

  /** A call on this connection was authenticated: it no longer counts, and may have all of its streams. */
  authenticated(session: Http2Session | undefined): void {
    const connection = session && this.#sessions.get(session);
    if (session && connection) {
      this.#sessions.delete(session);
      forget(connection);
      if (!session.closed && !session.destroyed) {
        session.settings({ maxConcurrentStreams: this.#maxStreams });
      }
    }
  }

  /** Whether a call on this connection has been authenticated. */
  isAuthenticated(session: Http2Session | undefined): boolean {
    return session !== undefined && !this.#sessions.has(session);
  }

  /** A call that needs no authentication: while it lasts, its connection is not idle. Returns what ends it. */
  beginAnonymous(session: Http2Session | undefined): () => void {
    const connection = session && this.#sessions.get(session);
    if (!connection) {
      return () => undefined;
    }
    connection.anonymousCalls += 1;
    return () => {
      connection.anonymousCalls -= 1;
      connection.timer.refresh();
    };
  }

  #watch(server: Server): void {
    // grpc-js has all of its servers speak HTTP/2, with TLS or without.
    (server as Http2SecureServer).updateSettings(UNAUTHENTICATED);
    server.prependListener('connection', (socket: Socket) => this.#admit(socket));
    server.on('session', (session: ServerHttp2Session) => this.#opened(session));
  }

  #admit(socket: Socket): void {
    const id = connectionId(socket);
    const connection: Connection = {
      socket,
      anonymousCalls: 0,
      timer: setTimeout(() => closeIdle(connection), this.#idleMs).unref(),
      leave: () => undefined,
    };
    this.#handshakes.set(id, connection);
    socket.once('close', () => {
      forget(connection);
      if (this.#handshakes.get(id) === connection) {
        this.#handshakes.delete(id);
      }
    });
    connection.leave = this.#room.enter(sourceNetwork(socket.remoteAddress), () => {
      socket.destroy();
      this.#evicted();
    });
  }

  #opened(session: ServerHttp2Session): void {
    const id = connectionId(session.socket);
    const connection = this.#handshakes.get(id);
    if (connection) {
      this.#handshakes.delete(id);
      connection.session = session;
      this.#sessions.set(session, connection);
    }
  }
}

function forget(connection: Connection): void {
  clearTimeout(connection.timer);
  connection.leave();
}

/** Lets the calls on it end first; those that do not are cut off the next time. */
function closeIdle({ socket, session, timer, anonymousCalls }: Connection): void {
  if (anonymousCalls > 0) {
    timer.refresh();
  } else if (session && !session.closed) {
    session.close();
    timer.refresh();
  } else {
    socket.destroy();
  }
}
