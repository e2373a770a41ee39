import { Pool } from 'undici';
import {
  AGENT_NOT_CONNECTED,
  ClusterAddressNotAllowed,
  type ClusterCall,
  ClusterNotCalled,
  ClusterNotDone,
  ClusterNotTrusted,
  ClusterRefused,
  ClusterUnreachable,
  GatewayLost,
  GatewayNotConnected,
  GatewayRefused,
  rbacResource,
} from '../domain/cluster-error.ts';
import { parseJson } from '../domain/parse-json.ts';
import { redact } from '../domain/redact.ts';
import type { Secret } from '../domain/secret.ts';
import { shorten } from '../domain/shorten.ts';
import type { ClusterUse } from '../ports/cluster.ts';
import { NotDialled } from '../ports/gateway-dialer.ts';
import { inSpan } from '../telemetry/span.ts';
import type { AccessGuard } from './access-guard.ts';
import type { ClusterClock } from './cluster-clock.ts';
import { AddressNotAllowed } from './egress/egress-guard.ts';
import { pathOf } from './path-of.ts';
import { refusalIn } from './refusal-in.ts';
import { isConnectFailure, type Route } from './route-to.ts';

/** Bounds of the connections to one API server. */
export interface ConnectionLimits {
  /** Connections that are kept alive, each with one call at a time. */
  connections: number;
  /** For TCP and TLS together. */
  connectTimeoutMs: number;
  /** For one call, from when it was asked for to the last byte of its answer. */
  callTimeoutMs: number;
}

/** What goes with a call. */
export interface CallOptions {
  body?: object;
  /** With its question mark. */
  query?: string;
  /** Default: JSON. */
  accept?: string;
}

/** The parts of an answer that count. A redirect is not followed, and its target is not shown. */
interface Received {
  status: number;
  text: string;
  retryAfter: string | string[] | undefined;
  contentType: string | string[] | undefined;
}

const METHODS = { get: 'GET', list: 'GET', create: 'POST', delete: 'DELETE' } as const;

/**
 * The largest answer is a page of the metadata of 500 objects, each with about 1.5 KB of it; one larger than this is not
 * from an API server.
 */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Characters of an API server's message that are passed on. */
const MAX_MESSAGE = 1000;

/** Less than the 90 s after which an API server closes an idle connection: a call must not run into its closing. */
const KEEP_ALIVE_MS = 30_000;

/** Node's and undici's codes for a connection that broke in the midst of a call. */
const LOST_CONNECTION = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** A shorter token may stand in an answer by chance. */
const MIN_TELLING_LENGTH = 16;

/** A longer rest than this is granted to nobody: leases end meanwhile. */
const MAX_RETRY_AFTER_MS = 60_000;

/** Kept-alive connections by a route, made as they are needed. */
export function openConnections(route: Route, limits: ConnectionLimits): Pool {
  return new Pool(route.origin, {
    connections: limits.connections,
    // Calls do not share a connection: the loss of one is the loss of one call.
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxResponseSize: MAX_ANSWER_BYTES,
    connect: route.connect,
  });
}

/** One API server, over kept-alive connections by one route. */
export class ApiServer {
  readonly #route: Route;
  readonly #limits: ConnectionLimits;
  readonly #guard: AccessGuard;
  readonly #pool: Pool;
  /** undefined: nobody wants to know. */
  readonly clock: ClusterClock | undefined;

  /** `guard` is of the access that the route is for, `clock` of all to the same API server. */
  constructor(
    route: Route,
    limits: ConnectionLimits,
    guard: AccessGuard,
    { clock, connections = openConnections(route, limits) }: { clock?: ClusterClock; connections?: Pool } = {},
  ) {
    this.clock = clock;
    this.#route = route;
    this.#limits = limits;
    this.#guard = guard;
    this.#pool = connections;
  }

  /** Makes a call and returns the parsed JSON of its answer. Throws a ClusterError. */
  call(call: ClusterCall, use: ClusterUse, options: CallOptions = {}): Promise<unknown> {
    const method = METHODS[call.verb];
    const attributes = {
      'http.request.method': method,
      'server.address': this.#route.cluster,
      ...(call.namespace === undefined ? {} : { 'k8s.namespace.name': call.namespace }),
    };
    // Around the guard: what waits for its turn is begun by the call before it, and would be part of its trace.
    return inSpan(`kubernetes ${call.verb} ${rbacResource(call)}`, { attributes }, (span) =>
      this.#guard.run(call, use, async (timeoutMs) => {
        const { status, text, retryAfter, contentType } = await this.#send(method, call, options, timeoutMs);
        span.setAttribute('http.response.status_code', status);
        if (status < 200 || status > 299) {
          const refusal = refusalIn(text, contentType);
          // Only once it is redacted: half a token is not recognized.
          const message = shorten(redact(refusal.message, ...this.#tokens()), MAX_MESSAGE);
          // An agent answers by itself only where it adds the token; elsewhere the answer is another's.
          if (status === 503 && refusal.reason === AGENT_NOT_CONNECTED && this.#route.token === undefined) {
            throw new ClusterNotCalled(call, message);
          }
          throw new ClusterRefused(call, { ...refusal, status, message, retryAfterMs: retryAfterMs(retryAfter) });
        }
        requireFinal(call, status);
        return this.#parse(call, text);
      }),
    );
  }

  #parse(call: ClusterCall, text: string): unknown {
    // No API server says it. What repeats our token would have it written into records and errors.
    const token = this.#route.token?.reveal() ?? '';
    if (token.length >= MIN_TELLING_LENGTH && text.includes(token)) {
      throw new ClusterUnreachable(call, 'its answer repeats the cluster token');
    }
    return parseAnswer(call, text);
  }

  /** Ends the connections, once the calls that are under way are done. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  async #send(
    method: (typeof METHODS)[keyof typeof METHODS],
    call: ClusterCall,
    { body, query = '', accept = 'application/json' }: CallOptions,
    timeoutMs: number,
  ): Promise<Received> {
    // Cleared at the end: the timer of AbortSignal.timeout would run on after its call.
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), timeoutMs);
    const sentAt = this.clock?.now() ?? 0;
    try {
      const answer = await this.#pool.request({
        method,
        path: `${this.#route.basePath}${pathOf(call)}${query}`,
        headers: {
          ...(this.#route.token === undefined ? {} : { authorization: `Bearer ${this.#route.token.reveal()}` }),
          accept,
          'user-agent': 'leasehold',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        // Else undici would close the connection after each delete, because servers may not expect that one has a body.
        reset: false,
        signal: deadline.signal,
      });
      this.clock?.heardDate(answer.headers['date'], { sentAt, answeredAt: this.clock.now() });
      const { 'retry-after': retryAfter, 'content-type': contentType } = answer.headers;
      return { status: answer.statusCode, text: await answer.body.text(), retryAfter, contentType };
    } catch (error) {
      throw this.#explain(call, error, deadline.signal.aborted);
    } finally {
      clearTimeout(timer);
    }
  }

  #tokens(): Secret[] {
    return this.#route.token === undefined ? [] : [this.#route.token];
  }

  #explain(call: ClusterCall, error: unknown, isTimeout: boolean): Error {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (error instanceof NotDialled) {
      return explainGateway(call, error);
    }
    if (error instanceof AddressNotAllowed) {
      return new ClusterAddressNotAllowed(call, error.message, { cause: error });
    }
    if (isCertificateProblem(code)) {
      const why = code === 'UNSPECIFIED' ? message : code;
      return new ClusterNotTrusted(call, `its certificate is not trusted (${why})`, { cause: error });
    }
    const problem = isTimeout
      ? `no answer from ${this.#route.cluster} within ${this.#limits.callTimeoutMs} ms`
      : `${this.#route.cluster} cannot be reached: ${redact(message || code, ...this.#tokens())}`;
    if (isConnectFailure(error)) {
      return new ClusterNotCalled(call, problem, { cause: error });
    }
    return this.#route.gateway !== undefined && LOST_CONNECTION.has(code)
      ? new GatewayLost(call, `gateway ${JSON.stringify(this.#route.gateway)} lost the connection`, { cause: error })
      : new ClusterUnreachable(call, problem, { cause: error });
  }
}

function explainGateway(call: ClusterCall, error: NotDialled): Error {
  switch (error.reason) {
    case 'not-connected':
      return new GatewayNotConnected(call, error.gateway, { cause: error });
    case 'refused':
      return new GatewayRefused(call, error.gateway, error.message, { cause: error });
    case 'unreachable':
      return new ClusterNotCalled(call, error.message, { cause: error });
  }
}

/** Node's codes for X.509 verification (nodejs.org/api/tls.html, "X509 certificate error codes"). Those that it has no name for, as of weak keys, are UNSPECIFIED. */
function isCertificateProblem(code: string): boolean {
  return /CERT|UNABLE_TO_(?:GET|VERIFY|DECRYPT|DECODE)|INVALID_(?:CA|PURPOSE)|PATH_LENGTH|HOSTNAME_MISMATCH|^UNSPECIFIED$/.test(
    code,
  );
}

/**
 * An API server has done what it was asked for when it says 200 or 201. 202 is a promise
 * (k8s.io/apiserver/pkg/endpoints/handlers/delete.go), and nothing else that sounds like success is from one.
 */
function requireFinal(call: ClusterCall, status: number): void {
  if (status === 202) {
    throw new ClusterNotDone(call, 'the API server accepted it (202), but has not done it yet');
  }
  if (status !== 200 && status !== 201) {
    throw new ClusterUnreachable(call, `its answer, ${status}, is not what the Kubernetes API promises`);
  }
}

function parseAnswer(call: ClusterCall, text: string): unknown {
  const answer = parseJson(text);
  if (answer === undefined) {
    throw new ClusterUnreachable(call, 'its answer is not JSON');
  }
  return answer;
}

/** Retry-After in seconds (RFC 9110, 10.2.3); API servers send no dates. */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const seconds = Number(header);
  return Number.isFinite(seconds) && seconds >= 0
    ? Math.min(Math.round(seconds * 1000), MAX_RETRY_AFTER_MS)
    : undefined;
}
