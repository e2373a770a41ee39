import type { Config } from '../domain/config.ts';
import type { Lease } from '../domain/lease.ts';
import type { Principal } from '../domain/principal.ts';

/** What may be asked for: one action for each RPC, by its name. */
export const ACTIONS = [
  'CreateConfig',
  'GetConfig',
  'ListConfigs',
  'UpdateConfig',
  'DeleteConfig',
  'CheckConfig',
  'IssueLease',
  'RenewLease',
  'RevokeLease',
  'BatchRevokeLeases',
  'GetLease',
  'ListLeases',
  'CreateGateway',
  'GetGateway',
  'ListGateways',
  'CreateEnrolmentToken',
  'DeleteGateway',
] as const;

export type Action = (typeof ACTIONS)[number];

/** What policies see of a config. */
export type ConfigView = Pick<Config, 'name' | 'labels'>;

/** What it is asked for on, as policies see it. */
export type Resource =
  | { kind: 'config'; config: ConfigView }
  | { kind: 'lease'; lease: Pick<Lease, 'id' | 'principal' | 'namespace'>; config: ConfigView }
  | { kind: 'gateway'; name: string }
  /**
   * Some config, lease or gateway, whichever it is. Who may do something on it may do so on any, and so learns nothing
   * from hearing that one does not exist. Policies do not see the name that was asked for; audit events tell it.
   */
  | { kind: 'any'; of: 'config' | 'lease' | 'gateway'; name?: string }
  /** All of this Leasehold: of lists, and of what names no single thing. */
  | { kind: 'installation' };

/** How it is asked for. Left out where it has no meaning. */
export interface Conditions {
  /** IssueLease, RenewLease: what was asked for, or the config's default. */
  ttlSeconds?: number | undefined;
  /** IssueLease: where; undefined where the config allows only one. */
  namespace?: string | undefined;
  /** IssueLease, and what writes configs: the kind of the role that is handed out; undefined for a static credential. */
  roleKind?: 'Role' | 'ClusterRole' | undefined;
  /** The same: whether the role counts in the whole cluster. */
  clusterWide?: boolean | undefined;
  /** The same: the gateway by which the cluster is reached, with whose rights where the config has no token. */
  gateway?: string | undefined;
  /** DeleteConfig: whether the leases on it are taken down first. */
  revokeLeases?: boolean | undefined;
  /** RevokeLease, BatchRevokeLeases, DeleteGateway. */
  force?: boolean | undefined;
  /** CreateEnrolmentToken: whether the keys so far are voided. */
  revokeIdentities?: boolean | undefined;
  /** BatchRevokeLeases: which leases. */
  target?: 'config' | 'principal' | 'labels' | 'all' | undefined;
  /** BatchRevokeLeases with the target `principal`: whose. */
  targetPrincipal?: string | undefined;
}

/** Where a call comes from. */
export interface Origin {
  /** IPv4 or IPv6; undefined where the connection has none. */
  sourceIp: string | undefined;
  /** `mtls`: with a client certificate that was verified. */
  transport: 'tls' | 'mtls' | 'plaintext';
}

export interface Question {
  principal: Principal;
  action: Action;
  resource: Resource;
  conditions: Conditions;
  origin: Origin;
}

/** Decides who may do what. */
export interface Authorizer {
  /** False unless a policy permits it and none forbids it. Never throws: what cannot be decided is not allowed. */
  allows(question: Question): boolean;
}
