import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

// Clients that a server does not know, and that want to have it hold as much as they can.

/** What is closed in the end. */
export interface Flood {
  /** Connections that the server has not closed. */
  open(): number;
  /** Requests that the server has neither answered nor reset. */
  pending(): number;
  /** Bytes that went to the server, encrypted. */
  sent(): number;
  stop(): void;
}

export interface BodyFlood {
  connections: number;
  streams: number;
  /** Of each request, which does not come to its end. */
  bytes: number;
  path: string;
  /** Instead of those of gRPC, or beside them. */
  headers?: Record<string, string>;
}

/** Another network than that of the tests' clients: all of 127.0.0.0/8 is this machine. */
export const ELSEWHERE = '127.0.0.2';

/** Connections with as many requests as they may have, of which each sends as much as it may. */
export function floodWithBodies(address: string, { connections, streams, bytes, path, headers }: BodyFlood): Flood {
  const body = Buffer.alloc(5 + bytes);
  // The message is longer than what comes of it.
  body.writeUInt32BE(bytes + 1, 1);
  let pending = connections * streams;
  const options = { rejectUnauthorized: false, localAddress: ELSEWHERE, maxSessionMemory: 1_000 };
  const sessions = Array.from({ length: connections }, () => {
    const session = connect(`https://${address}`, options);
    session.on('error', () => undefined);
    for (let i = 0; i < streams; i++) {
      const stream = begin(session, path, headers);
      stream.once('close', () => {
        pending -= 1;
      });
      stream.write(body);
    }
    return session;
  });
  const sockets = () => sessions.filter(({ destroyed }) => !destroyed).map(({ socket }) => socket);
  let gone = 0;
  for (const session of sessions) {
    session.once('connect', (_, socket: Socket) =>
      socket.once('close', () => {
        gone += socket.bytesWritten;
      }),
    );
  }
  return {
    open: () => sockets().length,
    pending: () => pending,
    sent: () => gone + sockets().reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    stop: () => sessions.forEach((session) => void session.destroy()),
  };
}

function begin(session: ClientHttp2Session, path: string, headers: Record<string, string> = {}) {
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: path,
    [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
    [constants.HTTP2_HEADER_TE]: 'trailers',
    ...headers,
  });
  stream.on('error', () => undefined);
  return stream.resume();
}

/** What the connections of a flood do first: nothing; one byte that is no TLS record yet; or a handshake and no more. */
export const OPENINGS = ['nothing', 'one byte', 'a handshake'] as const;

/** Connections that do no more than that. */
export function floodWithConnections(address: string, count: number, opening: (typeof OPENINGS)[number]): Flood {
  const [host = '', port] = address.split(':');
  const to = { host, port: Number(port), localAddress: ELSEWHERE };
  const sockets = Array.from({ length: count }, () => {
    const socket =
      opening === 'a handshake'
        ? connectTls({ ...to, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
        : connectTcp(to);
    socket.on('error', () => undefined).resume();
    if (opening === 'one byte') {
      socket.write(Buffer.of(0x16));
    }
    return socket;
  });
  return {
    open: () => sockets.filter(({ destroyed, readyState }) => !destroyed && readyState === 'open').length,
    pending: () => 0,
    sent: () => sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    stop: () => sockets.forEach((socket) => void socket.destroy()),
  };
}

/** Resident memory of a process, in MB (proc(5), VmRSS). */
export function residentMb(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}
