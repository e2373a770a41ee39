import type { Access, RoleRef } from '../domain/config.ts';
import type { LeaseObject } from '../domain/lease.ts';
import type { Marks } from '../domain/marks.ts';
import type { Permission } from '../domain/permissions.ts';
import type { Place } from '../domain/places.ts';
import type { Secret } from '../domain/secret.ts';

export interface ServiceAccountName {
  namespace: string;
  name: string;
}

export interface TokenWish {
  audiences: readonly string[];
  /** 600 to 2^32. */
  seconds: number;
  /** The Secret with whose deletion the token ends (TokenRequest's boundObjectRef). Left out: only the account binds it. */
  boundTo?: { name: string; uid: string } | undefined;
  /** Its end is to be that of a lease: fails with ClusterClockDiffers where the API server's clock is too far from ours. */
  forLease?: boolean;
}

export interface MintedToken {
  token: Secret;
  /** What the cluster says, by our clock; it may be sooner than asked. */
  expireTime: number;
}

export interface Verdict {
  allowed: boolean;
  /** The authorizer's own words; empty where it gave none. */
  reason: string;
}

/** What there is of a role. */
export interface FoundRole {
  /** It has no rules. */
  isEmpty: boolean;
  /** Its rules are put together from other ClusterRoles, by a controller of the cluster. */
  isAggregated: boolean;
}

/** An object that carries our labels. */
export type FoundObject = Place & { name: string; uid: string } & Marks;

/** Names one object of a cluster; with a uid, only that one and no later one of its name. */
export type ObjectName = Place & { name: string; uid?: string | undefined };

/** A namespace as it stands. */
export interface FoundNamespace {
  uid: string;
  /** It is being deleted, and what is in it may still work. */
  isTerminating: boolean;
}

/** What leases need of one cluster. Every call has a deadline and fails with a ClusterError. */
export interface Cluster {
  /**
   * Makes an object; a binding binds its role to `account`. Returns its uid. Fails with ClusterClockDiffers, and makes
   * nothing, where the clocks are known to differ.
   */
  create(object: LeaseObject, account: ServiceAccountName, marks: Marks): Promise<string>;
  /** Removes an object. Success where it is gone already, and where its name now belongs to an object of another uid. */
  remove(object: ObjectName): Promise<void>;
  mintToken(account: ServiceAccountName, wish: TokenWish): Promise<MintedToken>;
  /**
   * How far the API server's clock, by which its tokens end, is ahead of ours, in milliseconds; 0 where nothing can be known.
   * Never fails: a cluster that was never heard is asked once.
   */
  clockAheadMs(): Promise<number>;
  /** Fails with ClusterRefused (404) where the service account does not exist. */
  readServiceAccount(account: ServiceAccountName): Promise<void>;
  /**
   * Reads a namespace; undefined where the API server itself says that there is none. Fails with ClusterRefused (403)
   * where it may not be read, with `unlessDenied` also without asking, where that was the answer within the last minutes.
   */
  readNamespace(name: string, options?: { unlessDenied?: boolean }): Promise<FoundNamespace | undefined>;
  /** The marks of an object. Fails with ClusterRefused where there is none (404), and where it may not be read (403). */
  find(object: ObjectName): Promise<FoundObject>;
  /** Looks at a role; at a Role in `namespace`. Fails with ClusterRefused: 404 where there is none, 403 where it may not look. */
  readRole(role: RoleRef, namespace: string): Promise<FoundRole>;
  /** The objects in a place that carry all these labels, page after page. Fails with ClusterRefused (403) where it may not list. */
  listMarked(place: Place, labels: Readonly<Record<string, string>>): AsyncIterable<FoundObject[]>;
  /** Asks the authorizer about our own token (SelfSubjectAccessReview). */
  canI(permission: Permission): Promise<Verdict>;
  /** Asks the API server to go through the creation of an object without keeping it (dry run). */
  dryRunCreate(object: LeaseObject, account: ServiceAccountName): Promise<Verdict>;
}

/**
 * What a call to a cluster is made for, in the order in which calls get their turn: to end access, to issue or renew a
 * lease, to ask (CheckConfig, reading a cluster back, cluster tokens), to try a config that is not stored.
 */
export type Purpose = 'take-down' | 'issue' | 'question' | 'trial';

/** What calls are for and for whom, so that those of one caller do not hold up those of others. */
export interface ClusterUse {
  /** A `trial` shares nothing with the calls of stored configs but the turns of the cluster. */
  purpose: Purpose;
  /** Name of the principal that the calls are made for; undefined: Leasehold makes them by itself. */
  principal: string | undefined;
}

export interface Clusters {
  at(access: Access, use: ClusterUse): Cluster;
}
