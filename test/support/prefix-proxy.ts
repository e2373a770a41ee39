import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { Agent, request } from 'undici';
import type { ClusterAddress } from './admin.ts';
import { type AnsweringServer, startAnsweringServer } from './answering-server.ts';

/** A server with an API server under a path, as Rancher and others serve many; at its root is another one. */
export interface PrefixProxy extends ClusterAddress {
  /** Base URL of the API server. */
  url: string;
  /** The root. */
  origin: string;
  /** What the root was asked: `POST /apis/...`. */
  askedAtRoot: string[];
  stop(): Promise<void>;
}

/** `atRoot` answers for the other API server. */
export async function startPrefixProxy(
  target: ClusterAddress,
  atRoot: (request: IncomingMessage, response: ServerResponse) => void,
  prefix = '/k8s/clusters/c-1',
): Promise<PrefixProxy> {
  const dispatcher = new Agent({ connect: { ca: target.caPem } });
  const askedAtRoot: string[] = [];
  const server: AnsweringServer = await startAnsweringServer((incoming, response) => {
    const { method = '', url = '', headers } = incoming;
    if (!url.startsWith(`${prefix}/`)) {
      askedAtRoot.push(`${method} ${url}`);
      atRoot(incoming, response);
      return;
    }
    const { authorization = '', accept = '', 'content-type': contentType = 'application/json' } = headers;
    void text(incoming)
      .then((body) =>
        request(`${target.url}${url.slice(prefix.length)}`, {
          dispatcher,
          method: method as 'GET' | 'POST' | 'DELETE',
          headers: { authorization, accept, 'content-type': contentType },
          body: body || null,
        }),
      )
      .then(async (answer) => {
        response.writeHead(answer.statusCode, { 'content-type': 'application/json' }).end(await answer.body.text());
      })
      .catch((error: Error) => response.destroy(error));
  });
  return {
    url: `${server.url}${prefix}`,
    origin: server.url,
    caPem: server.caPem,
    askedAtRoot,
    async stop() {
      server.stop();
      await dispatcher.close();
    },
  };
}
