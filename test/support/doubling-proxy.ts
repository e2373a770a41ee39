import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { type AnsweringServer, startAnsweringServer } from './answering-server.ts';

/** A load balancer before an API server that sends POST requests twice, as some do whose first try they give up on. */
export interface DoublingProxy extends AnsweringServer {
  /** How many creations are still to be sent twice. */
  doubles: number;
  /** Called before a creation is passed on, with its path and body. */
  beforeCreate: (path: string, body: string) => Promise<void>;
}

interface Passed {
  status: number;
  contentType: string;
  body: Buffer;
}

/** What mints a token or reviews access creates no object, and is passed on once. */
const CREATES = /\/(?:serviceaccounts|secrets|rolebindings|clusterrolebindings)(?:\?|$)/;

export async function startDoublingProxy({ url, caPem }: { url: string; caPem: string }): Promise<DoublingProxy> {
  const pass = (request: IncomingMessage, body: Buffer) =>
    new Promise<Passed>((resolve, reject) => {
      const { host: _, connection: __, ...headers } = request.headers;
      const target = new URL(request.url ?? '', url);
      const onward = httpsRequest(target, { method: request.method, headers, ca: caPem }, (answer) => {
        buffer(answer).then(
          (passed) =>
            resolve({
              status: answer.statusCode ?? 0,
              contentType: answer.headers['content-type'] ?? 'application/json',
              body: passed,
            }),
          reject,
        );
      });
      onward.on('error', reject);
      onward.end(body);
    });
  const proxy: DoublingProxy = Object.assign(
    await startAnsweringServer(async (request, response) => {
      const body = await buffer(request);
      const path = request.url ?? '';
      if (request.method === 'POST' && CREATES.test(path) && !path.includes('dryRun')) {
        await proxy.beforeCreate(path, body.toString());
        if (proxy.doubles > 0) {
          proxy.doubles -= 1;
          await pass(request, body);
        }
      }
      const answer = await pass(request, body);
      response.writeHead(answer.status, { 'content-type': answer.contentType }).end(answer.body);
    }),
    { doubles: 0, beforeCreate: async () => undefined },
  );
  return proxy;
}
