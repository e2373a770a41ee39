import { z } from 'zod';
import { parseBaseUrl, parseDocumentUrl } from '../../shared/domain/https-url.ts';
import { textField } from '../../shared/text-field.ts';
import type { HttpsJson } from './https-json.ts';

const Discovery = z.object({ issuer: z.string(), jwks_uri: textField(parseDocumentUrl) });

/** The JWKS of an issuer by OpenID Connect Discovery 1.0. Throws an Error. */
export async function discoverJwks(issuer: string, https: HttpsJson): Promise<unknown> {
  const url = `${parseBaseUrl(issuer)}/.well-known/openid-configuration`;
  const discovery = Discovery.parse(await https.get(url));
  // Section 4.3: else one issuer could speak for another.
  if (discovery.issuer !== issuer) {
    throw new Error(`${url} is of another issuer`);
  }
  return https.get(discovery.jwks_uri);
}
