import { z } from 'zod';
import { MAX_NUMERIC_DATE } from '../domain/numeric-date.ts';
import { parseJson } from '../domain/parse-json.ts';
import type { Secret } from '../domain/secret.ts';

/** NumericDate of RFC 7519. */
const Claims = z.object({ iat: z.number().positive().max(MAX_NUMERIC_DATE) });

/** When a JWT says that it was made, in milliseconds since the epoch, whole seconds; undefined where it does not say. */
export function issueTimeOf(token: Secret): number | undefined {
  const [, payload = ''] = token.reveal().split('.');
  const claims = Claims.safeParse(parseJson(Buffer.from(payload, 'base64url').toString()));
  return claims.success ? Math.floor(claims.data.iat) * 1000 : undefined;
}
