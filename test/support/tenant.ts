import { Secret } from '../../src/shared/domain/secret.ts';
import type { Cluster, Clusters, Purpose } from '../../src/shared/ports/cluster.ts';

/** Who calls a cluster, with an access of their own. */
export interface TenantOptions {
  url: string;
  caPem?: string | undefined;
  purpose?: Purpose;
  /** Default: the tenant's name. */
  principal?: string;
  serverName?: string;
}

/** The cluster at `url` as `tenant` sees it: by a config of that name, whose token is the name as well. */
export function asTenant(clusters: Clusters, tenant: string, options: TenantOptions): Cluster {
  const { url, caPem, purpose = 'issue', principal = tenant, serverName } = options;
  const access = {
    kind: 'direct',
    id: `access of ${tenant}`,
    configUid: `config of ${tenant}`,
    renewToken: false,
    gateway: undefined,
    url,
    tls: { caPem, insecureSkipVerify: false, serverName },
    token: new Secret(tenant),
  } as const;
  return clusters.at(access, { purpose, principal });
}
