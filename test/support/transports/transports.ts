import type { Account, ClusterAddress } from '../admin.ts';
import { type Leasehold, startLeasehold } from '../leasehold.ts';
import type { AccountWithToken } from '../seed-rbac.ts';
import { type Access, directAccess } from '../set-ups.ts';
import { openByGateway, openByPath } from './gateway-world.ts';

/** How Leasehold reaches the cluster: straight, by a gateway that authenticates itself, or by one that is only the path. */
export type TransportName = 'direct' | 'gateway' | 'path';

/** What a test need not know of its transport. */
export interface Reach {
  /** The access of a config with the rights of that account. */
  accessOf(requester: AccountWithToken): Promise<Access>;
  /** A manifest that CheckConfig returned, as the administrator applies it who chose that account for Leasehold. */
  manifestFor(account: Account, manifest: string): string;
  /** The API server, as a config that gives its URL names it. */
  inConfig: ClusterAddress;
  /** What a credential says of the cluster. */
  inCredential: { clusterUrl: string; tls: { caPem: string; serverName?: string } | undefined };
}

/** A Leasehold that reaches the cluster in one way. */
export type OpenTransport = (
  cluster: ClusterAddress,
  redisUrl: string,
  overrides: Record<string, string>,
) => Promise<Leasehold & Reach>;

export const TRANSPORTS: Record<TransportName, OpenTransport> = {
  direct: openDirect,
  gateway: openByGateway,
  path: openByPath,
};

async function openDirect(
  cluster: ClusterAddress,
  redisUrl: string,
  overrides: Record<string, string>,
): Promise<Leasehold & Reach> {
  const { url, ...tls } = cluster;
  return {
    ...(await startLeasehold(redisUrl, overrides)),
    // The token in the config says whose it is.
    manifestFor: (_, manifest) => manifest,
    inConfig: cluster,
    accessOf: async ({ token }) => directAccess(cluster, token),
    inCredential: { clusterUrl: url, tls },
  };
}
