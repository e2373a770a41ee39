import { buildConnector, errors, Pool } from 'undici';
import { AGENT_NOT_CONNECTED } from '../shared/domain/cluster-error.ts';
import type { Secret } from '../shared/domain/secret.ts';
import { trustIn } from '../shared/domain/trust.ts';
import type { AllowedCall } from './allowlist.ts';
import { type Answer, ownAnswer } from './answer.ts';
import type { InClusterToken } from './in-cluster-token.ts';

export interface OwnApiServerOptions {
  /** Its paths are under it; without a slash at its end. */
  url: string;
  /** PEM; verifies it. */
  ca: string;
  token: InClusterToken;
}

/** Connections, each with one call at a time. Further calls wait for their turn. */
const CONNECTIONS = 128;
const CONNECT_TIMEOUT_MS = 5_000;

/** Less than the 90 s after which an API server closes an idle connection. */
const KEEP_ALIVE_MS = 30_000;

/** Leasehold's own bound for what is from an API server. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** The API server of the agent's cluster, called with the agent's own token. */
export class OwnApiServer {
  readonly #token: InClusterToken;
  readonly #pool: Pool;
  readonly #basePath: string;

  constructor({ url, ca, token }: OwnApiServerOptions) {
    const { origin, pathname } = new URL(url);
    this.#token = token;
    this.#basePath = pathname.replace(/\/$/, '');
    this.#pool = new Pool(origin, {
      connections: CONNECTIONS,
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxResponseSize: MAX_ANSWER_BYTES,
      connect: noted(buildConnector({ ...trustIn(ca), allowH2: false, timeout: CONNECT_TIMEOUT_MS })),
    });
  }

  /** Makes a call. Where there is no answer, the gateway's own is returned. Rejects only once `signal` is aborted. */
  async call(call: AllowedCall, signal: AbortSignal): Promise<Answer> {
    try {
      return await this.#withToken(call, signal);
    } catch (error) {
      signal.throwIfAborted();
      return explain(error as NodeJS.ErrnoException);
    }
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** 401: the call was not carried out, so it may be made again where there is a newer token for it. */
  async #withToken(call: AllowedCall, signal: AbortSignal): Promise<Answer> {
    const token = await this.#token.read();
    const answer = await this.#send(call, token, signal);
    if (answer.status !== 401) {
      return answer;
    }
    const newer = await this.#token.readAgain();
    return newer.equals(token) ? answer : this.#send(call, newer, signal);
  }

  async #send({ method, path, accept, body }: AllowedCall, token: Secret, signal: AbortSignal): Promise<Answer> {
    const answer = await this.#pool.request({
      method,
      path: this.#basePath + path,
      headers: {
        authorization: `Bearer ${token.reveal()}`,
        accept,
        'user-agent': 'leasehold-gateway',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body ?? null,
      // Else undici would close the connection after each delete, because servers may not expect that one has a body.
      reset: false,
      signal,
    });
    const { 'content-type': contentType, 'retry-after': retryAfter, date } = answer.headers;
    return {
      status: answer.statusCode,
      contentType: String(contentType ?? 'application/octet-stream'),
      ...(retryAfter === undefined ? {} : { retryAfter: String(retryAfter) }),
      ...(typeof date === 'string' ? { date } : {}),
      body: Buffer.from(await answer.body.arrayBuffer()),
    };
  }
}

function explain(error: NodeJS.ErrnoException): Answer {
  if (error instanceof errors.ResponseExceededMaxSizeError) {
    return ownAnswer(502, 'InternalError', `the API server's answer is larger than ${MAX_ANSWER_BYTES} bytes`);
  }
  const reason = failures.has(error) ? AGENT_NOT_CONNECTED : 'ServiceUnavailable';
  return ownAnswer(503, reason, `the gateway cannot call its API server: ${error.code ?? error.message}`);
}

/** Failures to make a connection, TLS included. Nothing was sent over a connection that never was. */
const failures = new WeakSet<Error>();

function noted(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error) {
        failures.add(error);
        callback(error, null);
      } else {
        callback(null, socket);
      }
    });
}
