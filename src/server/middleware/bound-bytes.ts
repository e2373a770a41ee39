import { ServerError, Status } from 'nice-grpc-common';
import type { NewCall } from './new-call.ts';

/** The name of a service for health checking; the token, key and signature with which a gateway enrolls or attaches. */
const MAX_BYTES = 4 * 1024;

/**
 * Refuses a call that sends more than it may without authentication: grpc-js has one maximum for all methods. Returns
 * what lifts that.
 */
export function boundBytes(call: NewCall): () => void {
  let bytes = 0;
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) {
      call.stream.off('data', count);
      const message = `a request without authentication must be no longer than ${MAX_BYTES} bytes`;
      void call.refuse(new ServerError(Status.RESOURCE_EXHAUSTED, message));
    }
  };
  call.stream.on('data', count);
  return () => void call.stream.off('data', count);
}
