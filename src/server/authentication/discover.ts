import { z } from 'zod';
import type { HttpsJson } from './https-json.ts';

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https$/ }) });

/** The JWKS of an issuer by OpenID Connect Discovery 1.0. Throws an Error. */
export async function discoverJwks(issuer: string, https: HttpsJson): Promise<unknown> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const discovery = Discovery.parse(await https.get(url));
  // Section 4.3: else one issuer could speak for another.
  if (discovery.issuer !== issuer) {
    throw new Error(`${url} is of another issuer`);
  }
  return https.get(discovery.jwks_uri);
}
