import type { Secret } from './secret.ts';

/** How to verify the API server's certificate. */
export interface TlsOptions {
  /** PEM bundle; undefined: the CAs that the process trusts. */
  caPem: string | undefined;
  insecureSkipVerify: boolean;
  /** undefined: the URL's host. */
  serverName: string | undefined;
}

/**
 * How to reach one cluster. Never changed: another URL, token or CA is another access with another id, so a lease can
 * name the one under which it was issued.
 */
export interface Access {
  id: string;
  url: string;
  tls: TlsOptions;
  token: Secret;
}

/** Who may be sent a token: the URL, and how it is made sure that nobody else answers there. */
export type Endpoint = Pick<Access, 'url' | 'tls'>;

export function sameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return (
    one.url === other.url &&
    one.tls.caPem === other.tls.caPem &&
    one.tls.insecureSkipVerify === other.tls.insecureSkipVerify &&
    one.tls.serverName === other.tls.serverName
  );
}

export interface RoleRef {
  kind: 'Role' | 'ClusterRole';
  name: string;
}

export interface StaticCredential {
  kind: 'static';
  namespace: string;
  serviceAccount: string;
  /** Tokens are bound to a Secret that is made for the lease, and end with it. */
  revocable: boolean;
}

export interface DynamicCredential {
  kind: 'dynamic';
  allowedNamespaces: readonly string[];
  role: RoleRef;
  bindingScope: 'namespace' | 'cluster';
}

/** What a platform team writes of a config. */
export interface ConfigDraft {
  /** A DNS label; unique. */
  name: string;
  defaultTtlSeconds: number;
  maxTtlSeconds: number;
  audiences: readonly string[];
  labels: Readonly<Record<string, string>>;
  access: Omit<Access, 'id'>;
  credential: StaticCredential | DynamicCredential;
}

/** A config as it is stored. */
export interface Config extends Omit<ConfigDraft, 'access'> {
  access: Access;
  /** Tells it from a later config of the same name. */
  uid: string;
  /** Counts the changes, from 1. */
  version: number;
  /** Milliseconds since the epoch, as are all times in the domain. */
  createTime: number;
  updateTime: number;
}

/** Namespaces in which `credential` makes or reads service accounts. */
export function namespacesOf(credential: Config['credential']): readonly string[] {
  return credential.kind === 'static' ? [credential.namespace] : credential.allowedNamespaces;
}
