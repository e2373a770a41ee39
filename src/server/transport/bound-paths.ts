import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { constants, type IncomingHttpHeaders } from 'node:http2';

/** https://nodejs.org/api/diagnostics_channel.html: a stream of HTTP/2 came. Who serves it is given the same headers. */
const STREAM_STARTED = 'http2.server.stream.start';

/** Four times as long as ours. */
const MAX_PATH = 256;

/**
 * Cuts the paths of calls. Of one that names no method of ours, grpc-js repeats the path in the message of UNIMPLEMENTED,
 * without asking an interceptor: as long as the caller made it, and longer than clients take headers.
 */
export function boundPaths(): { close(): void } {
  const listener = (message: unknown) => {
    const { headers } = message as { headers?: IncomingHttpHeaders };
    const path = headers?.[constants.HTTP2_HEADER_PATH];
    if (headers && typeof path === 'string' && path.length > MAX_PATH) {
      headers[constants.HTTP2_HEADER_PATH] = path.slice(0, MAX_PATH);
    }
  };
  subscribe(STREAM_STARTED, listener);
  return { close: () => void unsubscribe(STREAM_STARTED, listener) };
}
