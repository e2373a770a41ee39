import type { Http2Session, ServerHttp2Stream } from 'node:http2';

interface Connection {
  session: Http2Session;
  /** Whose call came last on it: a proxy's has those of many callers. */
  principal: string;
  /** Of known callers, under way. */
  calls: number;
  /** Whether it takes no more calls. */
  isEvicted: boolean;
}

/**
 * Bounds the connections of each caller: each holds memory, also where it is idle. No call is lost: of too many, the
 * one that was not used for longest and has no call under way takes no more (GOAWAY), and is closed once all on it has
 * ended. Where each of the others has a call, that is the newest: `max` is no less than the calls that a caller may
 * have, so the call on it is refused.
 */
export class ConnectionsOfCallers {
  readonly #max: number;
  readonly #evicted: (principal: string) => void;
  readonly #known = new WeakMap<Http2Session, Connection>();
  /** By principal, the one not used for longest first. */
  readonly #connections = new Map<string, Set<Connection>>();

  /** `evicted` is told whose connection is closed, each time that there are too many. */
  constructor(max: number, evicted: (principal: string) => void) {
    this.#max = max;
    this.#evicted = evicted;
  }

  /** A call of this caller has come. */
  called(stream: ServerHttp2Stream, principal: string): void {
    const { session } = stream;
    if (!session || session.destroyed) {
      return;
    }
    const connection = this.#known.get(session) ?? this.#open(session, principal);
    if (!stream.destroyed) {
      connection.calls += 1;
      stream.once('close', () => {
        connection.calls -= 1;
      });
    }
    if (!connection.isEvicted) {
      this.#use(connection, principal);
    }
  }

  #open(session: Http2Session, principal: string): Connection {
    const connection = { session, principal, calls: 0, isEvicted: false };
    this.#known.set(session, connection);
    session.once('close', () => this.#remove(connection));
    return connection;
  }

  #use(connection: Connection, principal: string): void {
    this.#remove(connection);
    connection.principal = principal;
    const connections = this.#connections.get(principal) ?? new Set();
    this.#connections.set(principal, connections.add(connection));
    if (connections.size > this.#max) {
      const idle = [...connections].find(({ calls }) => calls === 0);
      this.#evict(idle ?? connection);
    }
  }

  #evict(connection: Connection): void {
    this.#remove(connection);
    connection.isEvicted = true;
    connection.session.close();
    this.#evicted(connection.principal);
  }

  #remove(connection: Connection): void {
    const connections = this.#connections.get(connection.principal);
    if (connections?.delete(connection) && connections.size === 0) {
      this.#connections.delete(connection.principal);
    }
  }
}
