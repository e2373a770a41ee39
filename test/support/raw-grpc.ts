import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type Settings } from 'node:http2';
import { ADMIN_KEY, SERVER_CA } from './security.ts';

/** How a call came out, as HTTP/2 shows it. */
export interface RawOutcome {
  /** grpc-status; undefined where the call ended without one. */
  status: number | undefined;
  /** grpc-message. */
  message: string;
  /** Why the stream was reset (NGHTTP2_NO_ERROR where it was not). */
  resetCode: number;
}

/** Requests that a server refuses before it has read them stay in the client's memory; where it is full, Node resets them. */
const MAX_MEMORY_MB = 1_000;

/** gRPC by hand: for what no client does. */
export class RawGrpc {
  readonly session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.session = session;
    // Its calls tell of it.
    session.on('error', () => undefined);
  }

  /** `settings`: of this side; an initialWindowSize of 0 takes no message. `ca`: in place of that of the servers. */
  static async connect(
    address: string,
    { settings = {}, ca = SERVER_CA }: { settings?: Settings; ca?: string } = {},
  ): Promise<RawGrpc> {
    const session = connect(`https://${address}`, {
      settings,
      ca,
      servername: 'localhost',
      maxSessionMemory: MAX_MEMORY_MB,
    });
    await once(session, 'connect');
    return new RawGrpc(session);
  }

  /** Begins a call; its request is to be written. */
  begin(path: string, headers: Record<string, string> = {}): ClientHttp2Stream {
    return this.session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      [constants.HTTP2_HEADER_TE]: 'trailers',
      ...credentials(),
      ...headers,
    });
  }

  /** A call with these messages. */
  call(path: string, messages: readonly Uint8Array[], headers: Record<string, string> = {}): Promise<RawOutcome> {
    const stream = this.begin(path, headers);
    const outcome = outcomeOf(stream);
    stream.resume();
    stream.end(Buffer.concat(messages.map(framed)));
    return outcome;
  }

  close(): void {
    this.session.destroy();
  }
}

/** Waits for the end of a call. */
export function outcomeOf(stream: ClientHttp2Stream): Promise<RawOutcome> {
  return new Promise((resolve) => {
    let status: number | undefined;
    let message = '';
    const look = (headers: { [name: string]: unknown }): void => {
      if (headers['grpc-status'] !== undefined) {
        status = Number(headers['grpc-status']);
        message = String(headers['grpc-message'] ?? '');
      }
    };
    stream.on('response', look).on('trailers', look);
    // A reset is an error to Node; its code says all.
    stream.on('error', () => undefined);
    stream.on('close', () => resolve({ status, message, resetCode: stream.rstCode ?? 0 }));
  });
}

/** A message as gRPC sends it: not compressed, with its length before it. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

/** Who calls: the caller who may do everything. */
function credentials(): Record<string, string> {
  return { authorization: `Bearer ${ADMIN_KEY.reveal()}` };
}
