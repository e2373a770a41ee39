import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { parseAnchors } from '../../shared/domain/certificates.ts';
import { parsedAt } from '../../shared/domain/malformed.ts';
import { parseJson } from '../../shared/domain/parse-json.ts';
import { trustIn } from '../../shared/domain/trust.ts';
import type { EgressGuard } from '../../shared/kubernetes/egress/egress-guard.ts';

/** For one request, from connecting to the last byte of the answer. */
const TIMEOUT_MS = 5_000;

/** A set of 100 keys is a tenth of it. */
const MAX_ANSWER_BYTES = 1024 * 1024;

export interface HttpsFiles {
  /** PEM of the CAs that verify the server. Left out: those that Node trusts. */
  caFile?: string | undefined;
  /** A bearer token to show. */
  tokenFile?: string | undefined;
}

/**
 * Asks servers of issuers and clusters for JSON, at addresses that the egress guard lets through: a discovery document
 * names the URL of the keys, and DNS the address of either. Its files are read for each request: they rotate. No
 * redirect is followed, and errors repeat nothing of an answer but its status: what answers at such a URL may be no
 * issuer at all.
 */
export class HttpsJson {
  readonly #files: HttpsFiles;
  readonly #egress: EgressGuard;
  #ca = '';
  #agent: Agent | undefined;

  constructor(files: HttpsFiles, egress: EgressGuard) {
    this.#files = files;
    this.#egress = egress;
  }

  /**
   * Throws an Error where its CA file cannot be used, or the URL has an address that the egress guard does not let
   * through.
   */
  async requireUsable(url: string): Promise<void> {
    this.#egress.requireMayCall(url);
    await this.#trustingAgent();
  }

  /** Throws an Error, also where the answer is no success or no JSON. */
  get(url: string): Promise<unknown> {
    return this.#ask(url, { method: 'GET' });
  }

  /** The same. */
  post(url: string, body: object): Promise<unknown> {
    return this.#ask(url, { method: 'POST', body: JSON.stringify(body) });
  }

  async close(): Promise<void> {
    await this.#agent?.close();
  }

  async #ask(url: string, call: { method: 'GET' | 'POST'; body?: string }): Promise<unknown> {
    const { statusCode, body } = await request(url, {
      ...call,
      dispatcher: await this.#trustingAgent(),
      headers: {
        accept: 'application/json, application/jwk-set+json',
        ...(call.body && { 'content-type': 'application/json' }),
        ...(await this.#login()),
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (statusCode < 200 || statusCode > 299) {
      await body.dump();
      throw new Error(`${url} answered ${statusCode}`);
    }
    // The parser's own error would quote the body.
    const json = parseJson(await body.text());
    if (json === undefined) {
      throw new Error(`${url} answered ${statusCode}, but not with JSON`);
    }
    return json;
  }

  async #login(): Promise<{ authorization?: string }> {
    const { tokenFile } = this.#files;
    return tokenFile === undefined ? {} : { authorization: `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}` };
  }

  async #trustingAgent(): Promise<Agent> {
    const { caFile } = this.#files;
    const ca = caFile === undefined ? '' : await readFile(caFile, 'utf8');
    if (!this.#agent || ca !== this.#ca) {
      const anchors = caFile === undefined ? undefined : parsedAt(caFile, () => parseAnchors(ca).pem);
      void this.#agent?.close();
      this.#ca = ca;
      this.#agent = new Agent({
        connect: this.#egress.connector({ timeout: TIMEOUT_MS, ...trustIn(anchors) }, 'issuers'),
        maxResponseSize: MAX_ANSWER_BYTES,
      });
    }
    return this.#agent;
  }
}

/** For a caller who is not authenticated, and must not learn which address it is: the log says that, and what to do. */
export function notAllowed(what: string): string {
  return (
    `the server may not call ${what}: an operator finds its address in the log of the server, and must add its network ` +
    'to LEASEHOLD_ALLOWED_NETWORKS, or correct the URL if no setting allows the address; retrying does not help'
  );
}
