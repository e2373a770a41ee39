import { createHmac } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, Metadata } from 'nice-grpc';
import { knownSecret } from '../evidence/known-secret.ts';
import { callersYaml } from './security.ts';
import { forgeToken, makeTokenIssuer } from './token-issuer.ts';

/** What the groups of a token are prefixed with, before they are groups of its caller. */
const PREFIX = 'corp-';

const EXPIRED = Math.floor(Date.now() / 1000) - 60;

/** Ways in which somebody shows what is no good. */
export const FORGERIES = [
  'no credentials',
  'a token of another issuer',
  'a token of another key under the name of the issuer',
  'an expired token',
  'a token for another audience',
  'a token with alg none',
  'a token signed with the public key as a secret (HS256)',
] as const;

/** Callers with tokens of one issuer, as many and in such groups as a test wants. */
export async function makeTokenCallers(folder: string, groups: Record<string, readonly string[]> = {}) {
  const issuer = makeTokenIssuer('https://issuer.test', 'RS256');
  const other = makeTokenIssuer(issuer.issuer, 'RS256');
  const stranger = makeTokenIssuer('https://stranger.test', 'RS256');
  const jwt = {
    issuer: issuer.issuer,
    audiences: ['leasehold'],
    jwks: { file: 'jwks.json' },
    groupsClaim: 'groups',
    groupsPrefix: PREFIX,
  };
  const ofNames = Object.entries(groups).map(
    ([group, names]) => [group, names.map((name) => principalOf(name))] as const,
  );
  await writeFile(join(folder, 'jwks.json'), JSON.stringify(issuer.jwks));
  await writeFile(join(folder, 'callers.yaml'), callersYaml({ jwt: [jwt], groups: Object.fromEntries(ofNames) }));

  function principalOf(name: string): string {
    return `jwt:${issuer.issuer}#${name}`;
  }

  const claims = (sub: string, of: readonly string[]) => ({
    sub,
    groups: of.map((group) => group.replace(PREFIX, '')),
  });

  /** A call with a token of `sub`, who is in these groups. */
  const as = async (sub: string, of: readonly string[] = []) =>
    showing(await issuer.token({ claims: claims(sub, of) }));

  /** Calls of somebody who would be in these groups, if what he shows were any good. */
  const forged: Record<
    (typeof FORGERIES)[number],
    (sub: string, of: readonly string[]) => CallOptions | Promise<CallOptions>
  > = {
    'no credentials': () => ({}),
    'a token of another issuer': async (sub, of) => showing(await stranger.token({ claims: claims(sub, of) })),
    'a token of another key under the name of the issuer': async (sub, of) =>
      showing(await other.token({ claims: claims(sub, of), header: { kid: issuer.jwk.kid } })),
    'an expired token': async (sub, of) =>
      showing(await issuer.token({ claims: { ...claims(sub, of), exp: EXPIRED } })),
    'a token for another audience': async (sub, of) =>
      showing(await issuer.token({ claims: { ...claims(sub, of), aud: 'another' } })),
    'a token with alg none': (sub, of) => showing(forgeToken({ alg: 'none' }, full(sub, of))),
    'a token signed with the public key as a secret (HS256)': (sub, of) =>
      showing(
        forgeToken({ alg: 'HS256', kid: issuer.jwk.kid }, full(sub, of), (input) =>
          createHmac('sha256', issuer.publicKey.export({ type: 'spki', format: 'pem' }))
            .update(input)
            .digest(),
        ),
      ),
  };

  function full(sub: string, of: readonly string[]) {
    const now = Math.floor(Date.now() / 1000);
    return { iss: issuer.issuer, aud: 'leasehold', iat: now, exp: now + 300, ...claims(sub, of) };
  }

  return { environment: { LEASEHOLD_CALLERS: join(folder, 'callers.yaml') }, principalOf, as, forged };
}

export type TokenCallers = Awaited<ReturnType<typeof makeTokenCallers>>;

function showing(token: string): CallOptions {
  return { metadata: Metadata({ authorization: `Bearer ${knownSecret(token)}` }) };
}
