import { z } from 'zod';
import { DNS_LABEL, DNS_SUBDOMAIN } from '../domain/kubernetes-names.ts';
import { MAX_NUMERIC_DATE } from '../domain/numeric-date.ts';
import { parseJson } from '../domain/parse-json.ts';
import type { Secret } from '../domain/secret.ts';

/** What a token says of itself. Nobody has verified it: it is for those who hold the token, not for those who are shown it. */
export interface TokenClaims {
  /** Whose it is; undefined where that is no service account. */
  account: { namespace: string; name: string } | undefined;
  audiences: readonly string[];
  /** Milliseconds since the epoch; undefined where it says none. */
  issueTime: number | undefined;
  expireTime: number | undefined;
  /** The object with which it ends, beside its account: `pod`, `secret` or `node`. */
  boundTo: string | undefined;
}

/** NumericDate of RFC 7519. */
const seconds = z.number().min(0).max(MAX_NUMERIC_DATE);

/** Kubernetes: "Managing Service Accounts", "Schema for service account private claims". */
const Claims = z.object({
  sub: z.string().default(''),
  aud: z.union([z.string().transform((audience) => [audience]), z.array(z.string())]).default([]),
  iat: seconds.optional(),
  exp: seconds.optional(),
  'kubernetes.io': z
    .object({ pod: z.unknown().optional(), secret: z.unknown().optional(), node: z.unknown().optional() })
    .default({}),
});

/** Reads the claims of a JWT (RFC 7519); undefined where the token is none. */
export function readClaims(token: Secret): TokenClaims | undefined {
  const [, payload = ''] = token.reveal().split('.');
  const claims = Claims.safeParse(parseJson(Buffer.from(payload, 'base64url').toString()));
  if (!claims.success) {
    return undefined;
  }
  const { sub, aud, iat, exp, 'kubernetes.io': bound } = claims.data;
  return {
    account: accountOf(sub),
    audiences: aud,
    issueTime: inMs(iat),
    expireTime: inMs(exp),
    boundTo: (['pod', 'secret', 'node'] as const).find((kind) => bound[kind] !== undefined),
  };
}

function accountOf(subject: string): TokenClaims['account'] {
  const [system, kind, namespace = '', name = '', ...rest] = subject.split(':');
  const isAccount = system === 'system' && kind === 'serviceaccount' && rest.length === 0;
  return isAccount && DNS_LABEL.test(namespace) && DNS_SUBDOMAIN.test(name) ? { namespace, name } : undefined;
}

function inMs(time: number | undefined): number | undefined {
  return time === undefined ? undefined : Math.floor(time) * 1000;
}
