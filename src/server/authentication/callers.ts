import { dirname, resolve } from 'node:path';
import type { Principal } from '../../shared/domain/principal.ts';
import type { EgressGuard } from '../../shared/kubernetes/egress/egress-guard.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { WatchedFiles } from '../../shared/watched-files.ts';
import { ApiKeys } from './api-keys.ts';
import { authenticate } from './authenticate.ts';
import type { Authenticator, Credentials } from './authenticator.ts';
import { type CallersFile, parseCallersFile } from './callers-file.ts';
import { Certificates } from './certificates.ts';
import { HttpsJson } from './https-json.ts';
import { JsonWebTokens } from './json-web-tokens.ts';
import type { KeySet } from './key-set.ts';
import { KeySets } from './key-sets.ts';
import { LocalGroups } from './local-groups.ts';
import { accountByServedKeys, servedKeys } from './served-keys.ts';
import { accountByKeys, ServiceAccounts, type TokenCluster } from './service-accounts.ts';
import { TokenReviews } from './token-review.ts';

interface Known {
  /** In the order in which they are asked. */
  authenticators: readonly Authenticator[];
  groups: LocalGroups;
}

/** How keys are found, and clusters asked. */
interface Means {
  /** Paths are relative to it. */
  folder: string;
  egress: EgressGuard;
  keysOf: KeysOf;
}

type KeysOf = (issuer: string, spec: CallersFile['jwt'][number]['jwks']) => Promise<KeySet>;

/** Knows who calls, by the callers file, which is read again where it or a file that it names changes. */
export class Callers {
  readonly #file: WatchedFiles<Known>;
  readonly #keySets: KeySets;

  /** Throws an Error where the file is invalid. `egress`: which addresses of issuers and clusters may be called. */
  static async open(path: string, log: Logger, egress: EgressGuard): Promise<Callers> {
    const folder = dirname(resolve(path));
    const keySets = new KeySets(folder, log, egress);
    const file = await WatchedFiles.open({
      what: 'callers',
      setting: 'LEASEHOLD_CALLERS',
      paths: [path],
      parse: ([content]) => {
        const callers = parseCallersFile(String(content));
        return keySets.replace((keysOf) => know(callers, { folder, egress, keysOf }));
      },
      log,
    });
    return new Callers(file, keySets);
  }

  private constructor(file: WatchedFiles<Known>, keySets: KeySets) {
    this.#file = file;
    this.#keySets = keySets;
  }

  /** Who shows these credentials. Throws Unauthenticated, or Unavailable where that cannot be found out. */
  async authenticate(credentials: Credentials): Promise<Principal> {
    const { authenticators, groups } = this.#file.current;
    return groups.addTo(await authenticate(authenticators, credentials));
  }

  close(): void {
    this.#file.close();
    this.#keySets.close();
  }
}

async function know(file: CallersFile, means: Means): Promise<Known> {
  const issuers = await Promise.all(
    file.jwt.map(async ({ jwks, groupsClaim, groupsPrefix, ...rules }) => ({
      ...rules,
      keys: await means.keysOf(rules.issuer, jwks),
      groups: groupsClaim && groupsPrefix ? { claim: groupsClaim, prefix: groupsPrefix } : undefined,
    })),
  );
  const clusters = await Promise.all(file.clusters.map((cluster) => tokenCluster(cluster, means)));
  const apiKeys = file.apiKeys.map(({ name, sha256, groups, expires }) => ({
    name,
    hash: Buffer.from(sha256, 'hex'),
    groups,
    expireTime: expires === undefined ? undefined : Date.parse(expires),
  }));
  return {
    authenticators: [
      new Certificates(file.certificates),
      new JsonWebTokens(issuers),
      new ServiceAccounts(clusters),
      new ApiKeys(apiKeys),
    ],
    groups: new LocalGroups(file.groups),
  };
}

async function tokenCluster(
  { name, issuer, audiences, algorithms, jwks, tokenReview }: CallersFile['clusters'][number],
  { folder, egress, keysOf }: Means,
): Promise<TokenCluster> {
  const signed = jwks && accountByKeys({ issuer, audiences, algorithms, keys: await keysOf(issuer, jwks) });
  if (!tokenReview) {
    if (!signed) {
      throw new Error(`cluster ${name} has neither jwks nor tokenReview`);
    }
    return { name, issuer, accountOf: signed };
  }
  const { url, caFile, tokenFile } = tokenReview;
  const https = new HttpsJson(
    { caFile: caFile === undefined ? undefined : resolve(folder, caFile), tokenFile: resolve(folder, tokenFile) },
    egress,
  );
  await https.requireUsable(url);
  const proof = signed ?? accountByServedKeys({ audiences, keys: await keysOf(issuer, servedKeys(tokenReview)) });
  return { name, issuer, accountOf: new TokenReviews(url, audiences, https, proof).accountOf };
}
