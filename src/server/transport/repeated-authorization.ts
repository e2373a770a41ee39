import { constants, type Http2Session, type IncomingHttpHeaders } from 'node:http2';

const { HTTP2_HEADER_AUTHORIZATION } = constants;

const watched = new WeakSet<Http2Session>();

/**
 * Has all values of a repeated `authorization` reach whoever serves the requests of a connection. Node keeps the first
 * and drops the others without a word (`kSingleValueHeaders` in its lib/internal/http2/util.js); a proxy in front of
 * this server may have judged another one. To be called before the first request of the connection is served.
 */
export function showRepeatedAuthorization(session: Http2Session | undefined): void {
  if (session && !watched.has(session)) {
    watched.add(session);
    // Before Node's own listener, which hands the request to the server.
    session.prependListener('stream', (_stream, headers: IncomingHttpHeaders, _flags, rawHeaders: string[]) => {
      const values = rawHeaders.filter(
        (_, index) => index % 2 === 1 && rawHeaders[index - 1] === HTTP2_HEADER_AUTHORIZATION,
      );
      if (values.length > 1) {
        Object.assign(headers, { [HTTP2_HEADER_AUTHORIZATION]: values });
      }
    });
  }
}
