import type { ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';

/** What grpc-js keeps for itself: the call on a stream, and those that interceptors have put around it. */
interface Inner {
  stream?: ServerHttp2Stream;
  nextCall?: Inner;
}

/**
 * The HTTP/2 stream of a call. grpc-js shows neither the connection of a call nor a way to reset one; tests hold that
 * this finds both. Throws an Error where it does not.
 */
export function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream {
  let inner: Inner | undefined = call as unknown as Inner;
  while (inner && !inner.stream) {
    inner = inner.nextCall;
  }
  if (!inner?.stream) {
    throw new Error('this version of grpc-js keeps the stream of a call elsewhere');
  }
  return inner.stream;
}
