import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { cert, key } from '../../test/support/answering-server.ts';
import type { Mood, ProxyOrder, ProxyPlace } from './proxy.ts';

// The thread behind `startProxy`. Each URL that it opens is a port of its own, and to Leasehold a cluster of its own.

const { target, caPem } = workerData as ProxyPlace;
const agent = new Agent({ keepAlive: true, maxSockets: 512, ca: caPem });

/** By URL and authorization header. */
const moods = new Map<string, Mood>();

const TOO_MANY_REQUESTS = JSON.stringify({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  message: 'too many requests, please try again later',
  reason: 'TooManyRequests',
  details: { retryAfterSeconds: 60 },
  code: 429,
});

function pass(incoming: IncomingMessage, response: ServerResponse): void {
  const { host: _, connection: __, ...headers } = incoming.headers;
  const onward = httpsRequest(new URL(incoming.url ?? '', target), { method: incoming.method, headers, agent });
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  incoming.on('error', () => onward.destroy());
  incoming.pipe(onward);
}

function answer(mood: Mood | undefined, incoming: IncomingMessage, response: ServerResponse): void {
  if (mood === undefined || (mood.kind === 'slow deletes' && incoming.method !== 'DELETE')) {
    pass(incoming, response);
  } else if (mood.kind === 'slow deletes') {
    setTimeout(pass, mood.ms, incoming, response);
  } else if (mood.kind === 'rest') {
    incoming.resume();
    response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '60' }).end(TOO_MANY_REQUESTS);
  } else {
    incoming.resume();
  }
}

/** As a load balancer that routes by server name: a handshake for a name that it does not know is broken off. */
function refuseName(name: string, done: (error: Error) => void): void {
  done(new Error(`no API server has the name ${name}`));
}

async function open(): Promise<void> {
  const server = createServer({ key, cert, SNICallback: refuseName });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', (incoming, response) =>
    answer(moods.get(`${url} ${incoming.headers.authorization}`), incoming, response),
  );
  parentPort?.postMessage({ url, caPem: cert });
}

parentPort?.on('message', (order: ProxyOrder) => {
  if (order.kind === 'open') {
    void open();
  } else if (order.mood === undefined) {
    moods.delete(`${order.url} Bearer ${order.token}`);
  } else {
    moods.set(`${order.url} Bearer ${order.token}`, order.mood);
  }
});
