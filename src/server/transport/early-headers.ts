import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { showRepeatedAuthorization } from './repeated-authorization.ts';

/**
 * A request has come to an HTTP/2 server, and nobody has read it yet (nodejs.org/api/diagnostics_channel.html; Node
 * 24.2). Whoever serves it is given the same headers.
 */
const CREATED = 'http2.server.stream.created';

/**
 * Of a call, as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113, 6.5.2): enough for a token with as many groups as count
 * (MAX_GROUPS_LENGTH, in base64). Node refuses more (ENHANCE_YOUR_CALM, which is RESOURCE_EXHAUSTED) as soon as the
 * client has acknowledged the setting.
 */
export const MAX_HEADER_BYTES = 32 * 1024;

/** Of a header beside its name and value (RFC 9113, 6.5.2). */
const HEADER_OVERHEAD = 32;

/** Four times as long as ours. */
const MAX_PATH = 256;

const TIMEOUT = 'grpc-timeout';

/** As grpc-js finds it in the header; any other text it refuses. */
const AMOUNT_AND_UNIT = /(\d{1,8})\s*([HMSmun])/;

const UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Node's timers take no more: 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Bounds the headers that grpc-js reads before any interceptor, in all servers of this process, until it is closed. */
export function boundEarlyHeaders(): { close(): void } {
  const listener = (message: unknown) => {
    const { headers, stream } = message as { headers: IncomingHttpHeaders; stream: ServerHttp2Stream };
    showRepeatedAuthorization(stream.session);
    dropIfTooLarge(headers);
    boundPath(headers);
    boundDeadline(headers);
  };
  subscribe(CREATED, listener);
  return { close: () => void unsubscribe(CREATED, listener) };
}

/**
 * Of a client that has not acknowledged the bound, Node takes megabytes. Without its headers, grpc-js refuses such a
 * call: it has no content type.
 */
function dropIfTooLarge(headers: IncomingHttpHeaders): void {
  const names = Object.keys(headers);
  let bytes = 0;
  for (const name of names) {
    bytes += bytesOf(name, headers[name]);
  }
  if (bytes > MAX_HEADER_BYTES) {
    for (const name of names) {
      if (!name.startsWith(':')) {
        delete headers[name];
      }
    }
  }
}

function bytesOf(name: string, value: string | string[] = ''): number {
  return typeof value === 'string'
    ? name.length + value.length + HEADER_OVERHEAD
    : value.reduce((sum, one) => sum + bytesOf(name, one), 0);
}

/**
 * Of a call that names no method of ours, grpc-js repeats the path in the message of UNIMPLEMENTED: as long as the
 * caller made it, and longer than clients take headers.
 */
function boundPath(headers: IncomingHttpHeaders): void {
  const path = headers[constants.HTTP2_HEADER_PATH];
  if (typeof path === 'string' && path.length > MAX_PATH) {
    headers[constants.HTTP2_HEADER_PATH] = path.slice(0, MAX_PATH);
  }
}

/**
 * Takes a deadline that is further off than a timer can wait for none. grpc-js's server cuts it to 32 bits (`| 0` in
 * `handleTimeoutHeader` of its server-interceptors.ts): one of 25 to 49 days is over at once, and so are some of the
 * longer ones. Its clients take such a deadline for none, too (its deadline.ts); whoever set it ends the call when it
 * has passed. Not needed any more once the test "grpc-js cuts long deadlines" fails.
 */
function boundDeadline(headers: IncomingHttpHeaders): void {
  const timeout = headers[TIMEOUT];
  if (timeout !== undefined && millisecondsOf(String(timeout)) > MAX_TIMER_MS) {
    delete headers[TIMEOUT];
  }
}

function millisecondsOf(timeout: string): number {
  const [, amount = '', unit = ''] = AMOUNT_AND_UNIT.exec(timeout) ?? [];
  return Number(amount) * (UNIT_MS[unit] ?? 0);
}
