import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { addAbortSignal, type Duplex } from 'node:stream';
import type { Logger } from '../shared/telemetry/logger.ts';
import { type AllowedCall, admit, NotAllowed } from './allowlist.ts';
import { type Answer, ownAnswer } from './answer.ts';
import type { CallsUnderWay } from './calls-under-way.ts';
import type { OwnApiServer } from './own-api-server.ts';

/** The largest body that leases send is some KB. */
const MAX_BODY_BYTES = 256 * 1024;

const MAX_HEADER_BYTES = 16 * 1024;

/** From the head of a request to the last byte of its answer: longer than Leasehold itself waits (60 s at most). */
const CALL_TIMEOUT_MS = 65_000;

/** More at the same time are for no lease: they would only fill the memory. */
const MAX_CALLS = 512;

/**
 * Their answers are the only large ones. Those that nobody reads must not fill the memory; Leasehold has four under way
 * when it reads a cluster back.
 */
const MAX_LISTS = 16;

/** Of a refused request, in characters, for the log. */
const MAX_SHOWN = 256;

/** None of them says anything that a lease's call needs, and each says that more is meant than one plain request. */
const FOREIGN_HEADERS = ['transfer-encoding', 'upgrade', 'expect'];

/**
 * The door to the API server: an HTTP server that speaks on channels. Each request is held against the allowlist, and
 * what it asks for is asked anew, with the agent's own token. Nothing else of a request goes on.
 */
export class ApiDoor {
  readonly #apiServer: Pick<OwnApiServer, 'call'>;
  readonly #calls: CallsUnderWay;
  readonly #log: Logger;
  readonly #http = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
    // The side that opened a channel ends it.
    keepAliveTimeout: 0,
  });
  #isClosing = false;
  /** Under way, or not yet taken. */
  #lists = 0;

  constructor(apiServer: Pick<OwnApiServer, 'call'>, calls: CallsUnderWay, log: Logger) {
    this.#apiServer = apiServer;
    this.#calls = calls;
    this.#log = log;
    this.#http.on('request', (request, response) => void this.#answer(request, response));
    // What is no HTTP, and what asks for a tunnel, gets no answer: on its connection nothing can be relied on any more.
    this.#http.on('clientError', (error: NodeJS.ErrnoException, connection) => {
      if (error.code?.startsWith('HPE_')) {
        this.#log.warn({ problem: error.code }, REFUSED);
      }
      connection.destroy();
    });
    this.#http.on('connect', (request, connection) => {
      this.#log.warn(shown(request, 'a tunnel is not what leases need'), REFUSED);
      connection.destroy();
    });
  }

  /** Serves the requests that come over a channel. */
  serve(channel: Duplex): void {
    this.#http.emit('connection', channel);
  }

  /** From now on each connection ends with the answer that it waits for. */
  close(): void {
    this.#isClosing = true;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), CALL_TIMEOUT_MS);
    const end = this.#calls.begin();
    response.once('close', () => {
      clearTimeout(timer);
      over.abort();
      end();
    });
    try {
      const { answer, isRefused } = await this.#outcome(request, response, over.signal);
      write(response, answer, isRefused || this.#isClosing);
    } catch (error) {
      // The channel is gone, or there was no end to it: there is nobody to answer.
      response.destroy();
      if (!over.signal.aborted) {
        this.#log.error({ err: error }, 'a call failed');
      }
    }
  }

  async #outcome(
    request: IncomingMessage,
    response: ServerResponse,
    over: AbortSignal,
  ): Promise<{ answer: Answer; isRefused: boolean }> {
    if (this.#calls.count > MAX_CALLS) {
      return { answer: tooMany('calls'), isRefused: true };
    }
    try {
      const call = await this.#read(request, over);
      if (call.isList && !this.#beginList(response)) {
        return { answer: tooMany('lists'), isRefused: true };
      }
      return { answer: await this.#apiServer.call(call, over), isRefused: false };
    } catch (error) {
      if (!(error instanceof NotAllowed)) {
        throw error;
      }
      this.#log.warn(shown(request, error.message), REFUSED);
      const message = `the gateway's allowlist refused it: ${error.message}`;
      return { answer: ownAnswer(403, 'Forbidden', message), isRefused: true };
    }
  }

  /** False where there are too many. It ends with its answer. */
  #beginList(response: ServerResponse): boolean {
    if (this.#lists >= MAX_LISTS) {
      return false;
    }
    this.#lists += 1;
    response.once('close', () => {
      this.#lists -= 1;
    });
    return true;
  }

  async #read(request: IncomingMessage, over: AbortSignal): Promise<AllowedCall> {
    const { headers, method, url } = request;
    const foreign = FOREIGN_HEADERS.find((name) => headers[name] !== undefined);
    if (foreign !== undefined) {
      throw new NotAllowed(`it has the header ${foreign}`);
    }
    const withBody = admit({ method, target: url, accept: headers.accept, contentType: headers['content-type'] });
    return withBody(await bodyOf(request, over));
  }
}

const REFUSED = 'refused a request';

function tooMany(what: string): Answer {
  return ownAnswer(429, 'TooManyRequests', `too many ${what} at the gateway`);
}

/** For the log. */
function shown({ method, url = '' }: IncomingMessage, problem: string): object {
  return { method, target: url.slice(0, MAX_SHOWN), problem };
}

/** The parser holds it to its content-length; without one it is empty. */
async function bodyOf(request: IncomingMessage, over: AbortSignal): Promise<string> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) {
    throw new NotAllowed(`its body is larger than ${MAX_BODY_BYTES} bytes`);
  }
  const chunks: Buffer[] = await addAbortSignal(over, request).toArray();
  return Buffer.concat(chunks).toString();
}

/** What was refused may have more to it that was not read: its connection ends. */
function write(
  response: ServerResponse,
  { status, contentType, retryAfter, date, body }: Answer,
  isLast: boolean,
): void {
  // Leasehold takes it for the clock of the API server.
  response.sendDate = false;
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': body.length,
    ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
    ...(date === undefined ? {} : { date }),
    ...(isLast ? { connection: 'close' } : {}),
  });
  response.end(body);
}
