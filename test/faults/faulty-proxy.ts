import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { startAnsweringServer } from '../support/answering-server.ts';

/** The calls of a lease to its cluster. */
export const CALLS = {
  'create service account': /^POST .*\/serviceaccounts$/,
  'create binding': /^POST .*\/rolebindings$/,
  'mint token': /^POST .*\/serviceaccounts\/[^/]+\/token$/,
  'delete service account': /^DELETE .*\/serviceaccounts\/[^/]+$/,
  'delete binding': /^DELETE .*\/rolebindings\/[^/]+$/,
} as const;

interface Exchange {
  response: ServerResponse;
  /** Breaks the connection off. */
  reset(): void;
  /** Lets the API server do what was asked. */
  forward(): Promise<Answer>;
}

interface Answer {
  status: number;
  body: string;
}

/** Longer than a call may take, and than the API server's answer would still be waited for. */
const TOO_LONG_MS = 3_000;

/** What may go wrong on the way to an API server and back. */
export const MISHAPS = {
  'answered too late': async ({ response, forward }) => {
    const answer = await forward();
    await sleep(TOO_LONG_MS);
    reply(response, answer);
  },
  'done too late': async ({ response, forward }) => {
    await sleep(TOO_LONG_MS);
    reply(response, await forward());
  },
  'reset before': async ({ reset }) => reset(),
  'reset after': async ({ reset, forward }) => {
    await forward();
    reset();
  },
  'answered by half': async ({ response, forward }) => {
    const { status, body } = await forward();
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.write(body.slice(0, body.length / 2), () => response.socket?.destroy());
  },
  'done, but said 500': async ({ response, forward }) => {
    await forward();
    refuse(response, 500);
  },
  'refused with 429': async ({ response }) => refuse(response, 429),
  'refused with 500': async ({ response }) => refuse(response, 500),
  'refused with 503': async ({ response }) => refuse(response, 503),
} as const satisfies Record<string, (exchange: Exchange) => Promise<void>>;

export type CallName = keyof typeof CALLS;
export type MishapName = keyof typeof MISHAPS;

/** A way to the API server on which things go wrong. */
export interface FaultyProxy {
  url: string;
  caPem: string;
  /** How many calls were spoilt. */
  readonly spoilt: number;
  stop(): void;
}

/** Spoils the first `times` of such calls, and passes everything else. */
export async function startFaultyProxy(
  target: { url: string; caPem: string },
  fault: { call: CallName; mishap: MishapName; times: number },
): Promise<FaultyProxy> {
  const agent = new Agent({ ca: target.caPem, keepAlive: true });
  let spoilt = 0;
  const proxy = await startAnsweringServer((request, response) => void pass(request, response));

  /** The body is read first: what the caller breaks off after it was sent still arrives. */
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const exchange = {
      response,
      reset: () => proxy.reset(request),
      forward: () => forward(target.url, agent, request, body),
    };
    if (spoilt < fault.times && CALLS[fault.call].test(`${request.method} ${request.url}`)) {
      spoilt += 1;
      await MISHAPS[fault.mishap](exchange);
    } else {
      reply(response, await exchange.forward());
    }
  }

  return {
    url: proxy.url,
    caPem: proxy.caPem,
    get spoilt() {
      return spoilt;
    },
    stop() {
      proxy.stop();
      agent.destroy();
    },
  };
}

async function forward(targetUrl: string, agent: Agent, request: IncomingMessage, body: string): Promise<Answer> {
  const { method = 'GET', url = '/', headers } = request;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = httpsRequest(new URL(url, targetUrl), {
    method,
    agent,
    headers: { ...headers, host: new URL(targetUrl).host, 'content-length': Buffer.byteLength(body) },
  });
  outgoing.on('response', resolve).on('error', reject).end(body);
  const answer = await promise;
  return { status: answer.statusCode ?? 0, body: await text(answer) };
}

function reply(response: ServerResponse, { status, body }: Answer): void {
  if (!response.destroyed) {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  }
}

function refuse(response: ServerResponse, code: number): void {
  const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message: 'spoilt', reason: 'Spoilt' };
  response.writeHead(code, { 'content-type': 'application/json', ...(code === 429 ? { 'retry-after': '1' } : {}) });
  response.end(JSON.stringify(body));
}
