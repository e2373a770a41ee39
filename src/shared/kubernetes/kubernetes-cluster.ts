import { z } from 'zod';
import { type ClusterCall, ClusterError, ClusterRefused, ClusterUnreachable } from '../domain/cluster-error.ts';
import type { RoleRef } from '../domain/config.ts';
import type { LeaseObject } from '../domain/lease.ts';
import type { Marks } from '../domain/marks.ts';
import type { Permission } from '../domain/permissions.ts';
import type { Place } from '../domain/places.ts';
import { Secret } from '../domain/secret.ts';
import type {
  Cluster,
  ClusterUse,
  FoundNamespace,
  FoundObject,
  FoundRole,
  MintedToken,
  ObjectName,
  ServiceAccountName,
  TokenWish,
  Verdict,
} from '../ports/cluster.ts';
import type { ApiServer, CallOptions } from './api-server.ts';
import { isGone, isNotFound, requireGone } from './deletion.ts';
import { Denials } from './denials.ts';
import { accessReview, deleteOptions, manifestOf, resourceOf, tokenRequest } from './manifests.ts';
import { foundIn, LIST_ACCEPT, listQuery, MetadataOfOne, MetadataPage, OBJECT_ACCEPT } from './metadata-page.ts';
import { createdObject, foundAccount, isOfAnotherAccount, mintedToken, readAnswer, shortText } from './read-answer.ts';

const ReviewAnswer = z.object({
  status: z.object({ allowed: z.boolean(), denied: z.boolean().optional(), reason: z.string().optional() }),
});
const NamespaceAnswer = z.object({
  kind: z.literal('Namespace'),
  metadata: z.object({ name: shortText, uid: shortText, deletionTimestamp: shortText.optional() }),
});

/** Rules may be null: a Go API server writes an empty list so. */
const RoleAnswer = z.object({
  kind: z.enum(['Role', 'ClusterRole']),
  metadata: z.object({ name: z.string() }),
  rules: z.array(z.unknown()).nullish(),
  aggregationRule: z.unknown().optional(),
});

/** Objects on one page of a list; what kubectl asks for. */
const PAGE_SIZE = 500;

/** Half a million objects: what lists more is no API server, or holds more than one sweep may read. */
const MAX_PAGES = 1_000;

/** What leases need of a cluster, as calls to its API server. */
export class KubernetesCluster implements Cluster {
  readonly #server: ApiServer;
  readonly #use: ClusterUse;
  readonly #pageSize: number;
  readonly #access: { denials: Denials };

  /**
   * `use`: of all calls. `access`: what it has met so far; calls under way hold it, so that it is found again while
   * there are any (`WhileInUse`).
   */
  constructor(
    server: ApiServer,
    use: ClusterUse,
    access: { denials: Denials } = { denials: new Denials() },
    { pageSize = PAGE_SIZE } = {},
  ) {
    this.#server = server;
    this.#use = use;
    this.#access = access;
    this.#pageSize = pageSize;
  }

  #call(call: ClusterCall, options?: CallOptions): Promise<unknown> {
    return this.#server.call(call, this.#use, options);
  }

  async create(object: LeaseObject, account: ServiceAccountName, marks: Marks): Promise<string> {
    const call: ClusterCall = { verb: 'create', ...resourceOf(object) };
    await this.#requireSameTime(call);
    const answer = await this.#call(call, { body: manifestOf(object, account, marks) });
    return readAnswer(call, createdObject(object), answer).metadata.uid;
  }

  async remove(object: ObjectName): Promise<void> {
    try {
      const call: ClusterCall = { verb: 'delete', ...resourceOf(object), name: object.name };
      const answer = await this.#call(call, { body: deleteOptions(object) });
      requireGone(call, object, answer);
    } catch (error) {
      if (!isGone(object, error)) {
        throw error;
      }
    }
  }

  async mintToken(account: ServiceAccountName, wish: TokenWish): Promise<MintedToken> {
    const call: ClusterCall = {
      verb: 'create',
      apiGroup: '',
      resource: 'serviceaccounts',
      subresource: 'token',
      ...account,
    };
    if (wish.forLease) {
      await this.#requireSameTime(call);
    }
    const { clock } = this.#server;
    const sentAt = clock?.now() ?? 0;
    const answer = await this.#call(call, { body: tokenRequest(wish) });
    const { status } = readAnswer(call, mintedToken(account, wish), answer);
    const token = new Secret(status.token);
    if (isOfAnotherAccount(token, account)) {
      throw new ClusterUnreachable(call, 'its answer is a token of another account');
    }
    const expireTime = Date.parse(status.expirationTimestamp);
    const exchange = { sentAt, answeredAt: clock?.now() ?? 0 };
    const aheadMs = clock?.heardToken(token, expireTime - wish.seconds * 1000, exchange) ?? 0;
    if (wish.forLease) {
      clock?.require(call, aheadMs);
    }
    return { token, expireTime: expireTime - aheadMs };
  }

  async clockAheadMs(): Promise<number> {
    const { clock } = this.#server;
    if (clock?.mayBeAsked()) {
      await this.#hearTime();
    }
    return clock?.aheadMs ?? 0;
  }

  /** Where the last token showed another time than ours, the API server is asked once more before anything is made. */
  async #requireSameTime(call: ClusterCall): Promise<void> {
    const { clock } = this.#server;
    if (!clock?.wasOff) {
      return;
    }
    const askedAt = clock.now();
    await this.#hearTime(call.namespace);
    clock.requireSetSince(call, askedAt);
  }

  /** Where no answer comes, nothing is heard: the next call tells why. */
  async #hearTime(namespace?: string): Promise<void> {
    try {
      // Every token may ask it, and whatever the answer is, it has a Date.
      await this.canI({
        verb: 'create',
        apiGroup: '',
        resource: 'serviceaccounts/token',
        namespace,
        objectName: undefined,
        purpose: 'to hear its time',
      });
    } catch (error) {
      if (!(error instanceof ClusterError)) {
        throw error;
      }
    }
  }

  async readServiceAccount(account: ServiceAccountName): Promise<void> {
    const call: ClusterCall = { verb: 'get', apiGroup: '', resource: 'serviceaccounts', ...account };
    readAnswer(call, foundAccount(account), await this.#call(call));
  }

  async readNamespace(name: string, options: { unlessDenied?: boolean } = {}): Promise<FoundNamespace | undefined> {
    const denial = this.#access.denials.recent(name);
    if (options.unlessDenied && denial) {
      throw denial;
    }
    const call: ClusterCall = { verb: 'get', apiGroup: '', resource: 'namespaces', name };
    try {
      const { metadata } = readAnswer(call, NamespaceAnswer, await this.#call(call));
      return { uid: metadata.uid, isTerminating: metadata.deletionTimestamp !== undefined };
    } catch (error) {
      if (isNoNamespace(name, error)) {
        return undefined;
      }
      if (error instanceof ClusterRefused && error.refusal.status === 403) {
        this.#access.denials.keep(name, error);
      }
      throw error;
    }
  }

  async find({ uid: _, ...object }: ObjectName): Promise<FoundObject> {
    const call: ClusterCall = { verb: 'get', ...resourceOf(object), name: object.name };
    const { metadata } = readAnswer(call, MetadataOfOne, await this.#call(call, { accept: OBJECT_ACCEPT }));
    return { ...object, ...metadata };
  }

  async readRole({ kind, name }: RoleRef, namespace: string): Promise<FoundRole> {
    const place = kind === 'Role' ? { resource: 'roles', namespace } : { resource: 'clusterroles' };
    const call: ClusterCall = { verb: 'get', apiGroup: 'rbac.authorization.k8s.io', ...place, name };
    const role = readAnswer(call, RoleAnswer, await this.#call(call));
    if (role.kind !== kind || role.metadata.name !== name) {
      throw new ClusterUnreachable(call, 'its answer is about another object');
    }
    return {
      isEmpty: (role.rules ?? []).length === 0,
      isAggregated: (role.aggregationRule ?? undefined) !== undefined,
    };
  }

  async *listMarked(place: Place, labels: Readonly<Record<string, string>>): AsyncGenerator<FoundObject[]> {
    const call: ClusterCall = { verb: 'list', ...resourceOf(place) };
    let next: string | undefined;
    for (let pages = 0; pages === 0 || next; pages++) {
      if (pages === MAX_PAGES) {
        throw new ClusterUnreachable(call, `its list does not end after ${MAX_PAGES} pages`);
      }
      const query = listQuery(labels, this.#pageSize, next);
      const page = readAnswer(call, MetadataPage, await this.#call(call, { query, accept: LIST_ACCEPT }));
      yield foundIn(place, page);
      next = page.metadata.continue;
    }
  }

  async canI(permission: Permission): Promise<Verdict> {
    const call: ClusterCall = {
      verb: 'create',
      apiGroup: 'authorization.k8s.io',
      resource: 'selfsubjectaccessreviews',
    };
    const answer = await this.#call(call, { body: accessReview(permission) });
    const { allowed, denied = false, reason = '' } = readAnswer(call, ReviewAnswer, answer).status;
    return { allowed: allowed && !denied, reason };
  }

  async dryRunCreate(object: LeaseObject, account: ServiceAccountName): Promise<Verdict> {
    const call: ClusterCall = { verb: 'create', ...resourceOf(object) };
    try {
      const answer = await this.#call(call, {
        body: manifestOf(object, account, undefined),
        query: '?dryRun=All',
      });
      readAnswer(call, createdObject(object), answer);
      return { allowed: true, reason: 'holds all that the role grants' };
    } catch (error) {
      if (error instanceof ClusterRefused && error.refusal.status < 500 && error.refusal.status !== 429) {
        return { allowed: false, reason: error.refusal.message };
      }
      throw error;
    }
  }
}

/** On this word all that was in the namespace counts as gone. */
function isNoNamespace(name: string, error: unknown): boolean {
  return error instanceof ClusterRefused && isNotFound({ apiGroup: '', resource: 'namespaces', name }, error.refusal);
}
