import { Agent, request as send } from 'undici';
import { type AnsweringServer, startAnsweringServer } from './answering-server.ts';

/** Where the API server is whose clock is to be another. */
export interface TrueServer {
  url: string;
  caPem: string;
}

/** How it shows its time. */
export interface Skew {
  /** How far its clock is ahead. */
  aheadMs: number;
  /** What its header Date says instead of that. undefined: it has none. */
  date?: (aheadMs: number) => string | undefined;
  /** Whether the tokens are of the same clock. Default: true. */
  inTokens?: boolean;
}

export interface SkewedServer extends AnsweringServer {
  /** May be changed while it serves. */
  skew: Skew;
  /** Objects that were asked to be made, by the last part of their URL. */
  created: string[];
}

/** A real API server, seen as if its clock was another: in the header Date, and in the times of the tokens that it mints. */
export async function startSkewedServer(real: TrueServer, skew: Skew): Promise<SkewedServer> {
  const agent = new Agent({ connect: { ca: real.caPem } });
  const created: string[] = [];
  const state = { skew };
  const server = await startAnsweringServer(async (request, response) => {
    const chunks: Buffer[] = await request.toArray();
    const { authorization = '', accept = '', 'content-type': type } = request.headers;
    const answer = await send(`${real.url}${request.url}`, {
      dispatcher: agent,
      method: request.method as 'GET',
      headers: { authorization, accept, ...(type === undefined ? {} : { 'content-type': type }) },
      body: chunks.length > 0 ? Buffer.concat(chunks) : null,
    });
    if (request.method === 'POST' && !request.url?.includes('selfsubjectaccessreviews')) {
      created.push(request.url?.replace(/.*\//, '') ?? '');
    }
    const { aheadMs, date = inWords, inTokens = true } = state.skew;
    const text = await answer.body.text();
    const shown = date(aheadMs);
    response.sendDate = false;
    response.writeHead(answer.statusCode, {
      'content-type': String(answer.headers['content-type']),
      ...(shown === undefined ? {} : { date: shown }),
    });
    response.end(request.url?.endsWith('/token') && inTokens ? shiftToken(text, aheadMs) : text);
  });
  return {
    ...server,
    created,
    get skew() {
      return state.skew;
    },
    set skew(next: Skew) {
      state.skew = next;
    },
    stop() {
      server.stop();
      void agent.close();
    },
  };
}

function inWords(aheadMs: number): string {
  return new Date(Date.now() + aheadMs).toUTCString();
}

/** As the skewed server would have minted it. Its signature does not fit any more, which nobody asks here. */
function shiftToken(text: string, aheadMs: number): string {
  const answer = JSON.parse(text);
  if (answer.status?.token === undefined) {
    return text;
  }
  const [head, payload = '', signature] = answer.status.token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  for (const name of ['iat', 'nbf', 'exp']) {
    claims[name] += Math.round(aheadMs / 1000);
  }
  answer.status.token = [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
  answer.status.expirationTimestamp = new Date(Date.parse(answer.status.expirationTimestamp) + aheadMs).toISOString();
  return JSON.stringify(answer);
}
