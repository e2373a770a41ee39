import type { Access, Config } from '../domain/config.ts';
import { isIntact, type StoredConfig } from '../domain/damaged-config.ts';
import { MIN_TOKEN_SECONDS } from '../domain/ttl.ts';
import { useByCaller } from '../leases/cluster-use.ts';
import type { Ports } from '../ports/ports.ts';
import { askPermissions, refuseLacking } from './ask-permissions.ts';
import { refusalOf } from './dry-run-creations.ts';
import { renewalPermissions, wantedRenewal } from './token-renewal.ts';

/**
 * Proves that the token can be renewed, where it is to be. Strictly where that is what is switched on; where it was on
 * before, a cluster that mints no token just now is told of, in the warnings that are returned. Throws a ClusterError.
 */
export async function proveRenewal(ports: Ports, before: StoredConfig, { access }: Config): Promise<string[]> {
  if (isIntact(before) && wantedRenewal(before.access) === undefined) {
    await mintOwnToken(ports, access);
    return [];
  }
  const answers = await askPermissions(ports.clusters.at(access, useByCaller('trial')), renewalPermissions(access));
  refuseLacking(answers.filter(({ allowed }) => !allowed));
  return refusalOf(mintOwnToken(ports, access));
}

/**
 * Where the token of an access is to be renewed: mints one that nobody gets, of almost the shortest life that there is.
 * An older API server gives the same token to who asks for the same in the same second, and this must not be taken for
 * the config's own.
 */
export async function mintOwnToken(ports: Ports, access: Access): Promise<void> {
  const renewal = wantedRenewal(access);
  if (renewal) {
    const { account, audiences } = renewal;
    await ports.clusters
      .at(access, useByCaller('trial'))
      .mintToken(account, { audiences, seconds: MIN_TOKEN_SECONDS + 1 });
  }
}
