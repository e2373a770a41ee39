import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { type AnsweringServer, startAnsweringServer } from '../support/answering-server.ts';

const Body = z.looseObject({ kind: z.string().optional(), spec: z.looseObject({}).optional() });

const TOKEN_LIFE_MS = 3_600_000;

/** An API server that allows, makes and removes whatever it is asked, and keeps nothing. */
export function startObligingCluster(): Promise<AnsweringServer> {
  return startAnsweringServer((request, response) => void answer(request, response).catch(() => response.destroy()));
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const text = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString();
  const body = Body.parse(JSON.parse(text || '{}'));
  response.writeHead(request.method === 'POST' ? 201 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(request.method === 'DELETE' ? { kind: 'Status', status: 'Success' } : made(body)));
}

function made(body: z.infer<typeof Body>): object {
  switch (body.kind) {
    case 'TokenRequest':
      return {
        ...body,
        status: {
          token: `token-${randomUUID()}`,
          expirationTimestamp: new Date(Date.now() + TOKEN_LIFE_MS).toISOString(),
        },
      };
    case 'SelfSubjectAccessReview':
      return { ...body, status: { allowed: true } };
    default:
      return { ...body, metadata: { uid: randomUUID() }, items: [] };
  }
}
