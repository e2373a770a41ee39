import type { Access, Config, ConfigDraft, DirectAccess } from '../../src/shared/domain/config.ts';
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

export function draftOf(name: string, kind: Kind, url: string) {
  return {
    name,
    defaultTtlSeconds: 600,
    maxTtlSeconds: MAX_TTL_SECONDS,
    audiences: [],
    labels: { team: name },
    access: straightTo(url),
    credential: credentialOf(kind),
  } satisfies ConfigDraft;
}

function straightTo(url: string): Omit<DirectAccess, 'id' | 'configUid'> & { gateway: undefined } {
  const tls = { caPem: undefined, insecureSkipVerify: false, serverName: undefined };
  return { kind: 'direct', url, tls, token: newToken(), renewToken: false, gateway: undefined };
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
  const { credential } = config;
  const stored = asStraight(config.access);
  const access = { ...stored, gateway: undefined };
  switch (change) {
    case 'token':
      return { ...config, access: straightTo(stored.url) };
    case 'cluster':
      return { ...config, access: straightTo(CLUSTERS.find((other) => other !== stored.url) ?? stored.url) };
    case 'narrower':
    case 'wider': {
      const allowedNamespaces = change === 'wider' ? NAMESPACES : NAMESPACES.slice(0, 1);
      return credential.kind === 'dynamic'
        ? { ...config, access, credential: { ...credential, allowedNamespaces } }
        : { ...config, access };
    }
    default:
      return { ...config, access, credential: credentialOf(change) };
  }
}

/** No cluster of the model is behind a gateway: to the use cases it would be one like any other. */
export function asStraight(access: Access): DirectAccess {
  if (access.kind !== 'direct') {
    throw new Error('the model has no gateways');
  }
  return access;
}
