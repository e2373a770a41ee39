import type { Config, ConfigDraft } from '../../src/shared/domain/config.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { CLUSTERS, type ConfigChange, type Kind, NAMESPACES } from './actions.ts';
import { MAX_TTL_SECONDS } from './policy.ts';
import { CLUSTER_TOKEN } from './secrets.ts';

/** The service account of static leases, which is nobody's lease. */
export const READER = 'reader';

let tokens = 0;

function newToken(): Secret {
  tokens += 1;
  return new Secret(`${CLUSTER_TOKEN}-${tokens}`);
}

export function draftOf(name: string, kind: Kind, url: string): ConfigDraft {
  return {
    name,
    defaultTtlSeconds: 600,
    maxTtlSeconds: MAX_TTL_SECONDS,
    audiences: [],
    labels: { team: name },
    access: { url, tls: { caPem: undefined, insecureSkipVerify: false, serverName: undefined }, token: newToken() },
    credential: credentialOf(kind),
  };
}

function credentialOf(kind: Kind): ConfigDraft['credential'] {
  if (kind === 'revocable' || kind === 'static') {
    return { kind: 'static', namespace: 'one', serviceAccount: READER, revocable: kind === 'revocable' };
  }
  return {
    kind: 'dynamic',
    allowedNamespaces: NAMESPACES,
    role: { kind: 'ClusterRole', name: 'view' },
    bindingScope: kind === 'namespaced' ? 'namespace' : 'cluster',
  };
}

/** What a platform team makes of a config. */
export function changed(config: Config, change: ConfigChange): ConfigDraft {
  const { access, credential } = config;
  switch (change) {
    case 'token':
      return { ...config, access: { ...access, token: newToken() } };
    case 'cluster': {
      const url = CLUSTERS.find((other) => other !== access.url) ?? access.url;
      return { ...config, access: { ...access, url, token: newToken() } };
    }
    case 'narrower':
    case 'wider': {
      const allowedNamespaces = change === 'wider' ? NAMESPACES : NAMESPACES.slice(0, 1);
      return credential.kind === 'dynamic' ? { ...config, credential: { ...credential, allowedNamespaces } } : config;
    }
    default:
      return { ...config, credential: credentialOf(change) };
  }
}
