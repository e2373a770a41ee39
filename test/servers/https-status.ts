import { get } from 'node:https';

const TIMEOUT_MS = 5_000;

/** The status that a GET with this bearer token has, over a server that this CA vouches for. */
export function httpsStatus(url: string, caPem: string, token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    // Without a shared agent no connection is kept open, or reused with another CA.
    const options = { ca: caPem, agent: false, headers: { authorization: `Bearer ${token}` }, timeout: TIMEOUT_MS };
    const request = get(url, options, (response) => {
      response.resume();
      response.on('error', reject);
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('timeout', () => request.destroy(new Error(`${url} did not answer within ${TIMEOUT_MS} ms`)));
    request.on('error', reject);
  });
}
