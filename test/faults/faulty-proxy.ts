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
  /** Lets the API server do what was asked. */
  forward(): Promise<Answer>;
}

interface Answer {
  status: number;
  body: string;
}

/** Longer than a call may take, and than the API server's answer would still be waited for. */
const TOO_LONG_MS = 2_500;

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
  'reset before': async ({ response }) => {
    response.socket?.resetAndDestroy();
  },
  'reset after': async ({ response, forward }) => {
    await forward();
    response.socket?.resetAndDestroy();
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
  const proxy = await startAnsweringServer((request, response) => {
    const isConcerned = CALLS[fault.call].test(`${request.method} ${request.url}`);
    const exchange = { response, forward: () => forward(target.url, agent, request) };
    if (isConcerned && spoilt < fault.times) {
      spoilt += 1;
      void MISHAPS[fault.mishap](exchange);
    } else {
      void exchange.forward().then((answer) => reply(response, answer));
    }
  });
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

/** The body is read first: what the caller breaks off after it was sent still arrives. */
async function forward(targetUrl: string, agent: Agent, request: IncomingMessage): Promise<Answer> {
  const body = await text(request);
  const { method = 'GET', url = '/', headers } = request;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { authorization, accept, 'content-type': contentType } = headers;
  const outgoing = httpsRequest(new URL(url, targetUrl), {
    method,
    agent,
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(accept === undefined ? {} : { accept }),
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
    },
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
