import { framed, outcomeOf, type RawGrpc, type RawOutcome } from './raw-grpc.ts';

/** How a call came out, and how large its headers were. */
export interface SizedOutcome extends RawOutcome {
  /** Of the larger of its two blocks of headers, as HTTP/2 counts them (RFC 9113, 6.5.2). */
  headerBytes: number;
}

/** A call with this message, or with none. */
export async function sizedCall(
  raw: RawGrpc,
  path: string,
  message: Uint8Array | undefined,
  headers: Record<string, string> = {},
): Promise<SizedOutcome> {
  const stream = raw.begin(path, headers);
  let headerBytes = 0;
  const measure = (block: object) => {
    headerBytes = Math.max(headerBytes, sizeOf(block));
  };
  stream.on('response', measure).on('trailers', measure);
  const outcome = outcomeOf(stream);
  stream.resume();
  stream.end(message === undefined ? '' : framed(message));
  return { ...(await outcome), headerBytes };
}

/** Each header has an overhead of 32 bytes. */
function sizeOf(block: object): number {
  return Object.entries(block).reduce((sum, [name, value]) => sum + name.length + String(value).length + 32, 0);
}
