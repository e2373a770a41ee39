import { isSamePem } from './certificates.ts';
import type { Secret } from './secret.ts';

/** How to verify the API server's certificate. */
export interface TlsOptions {
  /** PEM bundle; undefined: the CAs that the process trusts. */
  caPem: string | undefined;
  insecureSkipVerify: boolean;
  /** undefined: the URL's host. */
  serverName: string | undefined;
}

/** A gateway, told from a later one of the same name. */
export interface GatewayRef {
  name: string;
  uid: string;
}

/**
 * How to reach one cluster. Never changed: another URL, token or CA is another access with another id, so a lease can
 * name the one under which it was issued.
 */
export type Access = DirectAccess | GatewayAccess;

/** With a service account's token, at a URL. */
export interface DirectAccess {
  kind: 'direct';
  id: string;
  /** Uid of the config that it belongs to: no other config, and no lease of another one, may use it. */
  configUid: string;
  /** Canonical (parseBaseUrl): it tells clusters apart. */
  url: string;
  tls: TlsOptions;
  token: Secret;
  /** The token is replaced by a new one of its own account before it expires. */
  renewToken: boolean;
  /** Carries the bytes, which are encrypted from end to end; undefined: straight. */
  gateway: GatewayRef | undefined;
}

/** By a gateway that calls its API server with its own service account. */
interface GatewayAccess {
  kind: 'gateway';
  id: string;
  configUid: string;
  gateway: GatewayRef;
}

/** Who may be sent a token: the URL, and how it is made sure that nobody else answers there. */
export type Endpoint = Pick<DirectAccess, 'url' | 'tls'> & { gateway: string | undefined };

export function sameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return (
    one.url === other.url &&
    one.gateway === other.gateway &&
    isSamePem(one.tls.caPem, other.tls.caPem) &&
    one.tls.insecureSkipVerify === other.tls.insecureSkipVerify &&
    one.tls.serverName === other.tls.serverName
  );
}

/**
 * Tells the cluster that an access leads to from others: what answers at one URL, or behind one gateway. Two private
 * clusters may well have the same URL behind their gateways.
 */
export function clusterOf(access: Access): string {
  const { gateway } = access;
  const via = gateway && `gateway ${gateway.name} (${gateway.uid})`;
  const url = access.kind === 'direct' ? access.url : undefined;
  return [url, via].filter((part) => part !== undefined).join(' by ');
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

/** How to reach a cluster, as a platform team writes it: a gateway by its name. */
export type AccessDraft =
  | (Omit<DirectAccess, 'id' | 'configUid' | 'gateway'> & { gateway: string | undefined })
  | (Omit<GatewayAccess, 'id' | 'configUid' | 'gateway'> & { gateway: string });

/** What a platform team writes of a config. */
export interface ConfigDraft {
  /** A DNS label; unique. */
  name: string;
  defaultTtlSeconds: number;
  maxTtlSeconds: number;
  audiences: readonly string[];
  labels: Readonly<Record<string, string>>;
  access: AccessDraft;
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
