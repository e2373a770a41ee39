import { z } from 'zod';
import { type ClusterCall, ClusterNotDone, ClusterRefused, ClusterUnreachable } from '../domain/cluster-error.ts';
import type { LeaseObject } from '../domain/lease.ts';
import type { Marks } from '../domain/marks.ts';
import type { Permission } from '../domain/permissions.ts';
import type { Place } from '../domain/places.ts';
import { Secret } from '../domain/secret.ts';
import type {
  Cluster,
  FoundObject,
  MintedToken,
  ObjectName,
  ServiceAccountName,
  TokenWish,
  Verdict,
} from '../ports/cluster.ts';
import type { ApiServer } from './api-server.ts';
import { accessReview, deleteOptions, manifestOf, resourceOf, tokenRequest } from './manifests.ts';
import { foundIn, LIST_ACCEPT, listQuery, MetadataPage } from './metadata-page.ts';

/** Of names and ids in answers, in characters: what is longer is not from an API server. */
const MAX_TEXT = 320;

/** They are named in an error, which must not be long. */
const MAX_FINALIZERS = 16;

const Created = z.object({ metadata: z.object({ uid: z.string().min(1).max(MAX_TEXT) }) });
const TokenAnswer = z.object({
  status: z.object({ token: z.string().min(1), expirationTimestamp: z.iso.datetime({ offset: true }) }),
});
/** A Status, or the object as it was at its end. Anything else is not from an API server. */
const DeleteAnswer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('Status'), status: z.literal('Success') }),
  z.object({
    kind: z.enum(['ServiceAccount', 'Secret', 'RoleBinding', 'ClusterRoleBinding']),
    metadata: z.object({ finalizers: z.array(z.string().max(MAX_TEXT)).max(MAX_FINALIZERS).default([]) }),
  }),
]);
const ReviewAnswer = z.object({ status: z.object({ allowed: z.boolean(), reason: z.string().optional() }) });

/** An API server has two ways to say that a delete's uid is not the object's: one before, one in the transaction. */
const OTHER_UID = /UID in (?:the )?precondition/;

/** Objects on one page of a list; what kubectl asks for. */
const PAGE_SIZE = 500;

/** Half a million objects: what lists more is no API server, or holds more than one sweep may read. */
const MAX_PAGES = 1_000;

/** What leases need of a cluster, as calls to its API server. */
export class KubernetesCluster implements Cluster {
  readonly #server: ApiServer;
  readonly #pageSize: number;

  constructor(server: ApiServer, { pageSize = PAGE_SIZE }: { pageSize?: number } = {}) {
    this.#server = server;
    this.#pageSize = pageSize;
  }

  async create(object: LeaseObject, account: ServiceAccountName, marks: Marks): Promise<string> {
    const call: ClusterCall = { verb: 'create', ...resourceOf(object) };
    const answer = await this.#server.call(call, { body: manifestOf(object, account, marks) });
    return read(call, Created, answer).metadata.uid;
  }

  async remove(object: ObjectName): Promise<void> {
    try {
      const call: ClusterCall = { verb: 'delete', ...resourceOf(object), name: object.name };
      const answer = await this.#server.call(call, { body: deleteOptions(object) });
      requireGone(call, read(call, DeleteAnswer, answer));
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
    const { status } = read(call, TokenAnswer, await this.#server.call(call, { body: tokenRequest(wish) }));
    return { token: new Secret(status.token), expireTime: Date.parse(status.expirationTimestamp) };
  }

  async readServiceAccount(account: ServiceAccountName): Promise<void> {
    await this.#server.call({ verb: 'get', apiGroup: '', resource: 'serviceaccounts', ...account });
  }

  async *listMarked(place: Place, labels: Readonly<Record<string, string>>): AsyncGenerator<FoundObject[]> {
    const call: ClusterCall = { verb: 'list', ...resourceOf(place) };
    let next: string | undefined;
    for (let pages = 0; pages === 0 || next; pages++) {
      if (pages === MAX_PAGES) {
        throw new ClusterUnreachable(call, `its list does not end after ${MAX_PAGES} pages`);
      }
      const query = listQuery(labels, this.#pageSize, next);
      const page = read(call, MetadataPage, await this.#server.call(call, { query, accept: LIST_ACCEPT }));
      yield foundIn(place, page);
      next = page.metadata.continue;
    }
  }

  async mayI(permission: Permission): Promise<Verdict> {
    const call: ClusterCall = {
      verb: 'create',
      apiGroup: 'authorization.k8s.io',
      resource: 'selfsubjectaccessreviews',
    };
    const answer = await this.#server.call(call, { body: accessReview(permission) });
    const { allowed, reason = '' } = read(call, ReviewAnswer, answer).status;
    return { allowed, reason };
  }

  async rehearse(object: LeaseObject, account: ServiceAccountName): Promise<Verdict> {
    const call: ClusterCall = { verb: 'create', ...resourceOf(object) };
    try {
      await this.#server.call(call, { body: manifestOf(object, account, undefined), query: '?dryRun=All' });
      return { allowed: true, reason: 'holds all that the role grants' };
    } catch (error) {
      if (error instanceof ClusterRefused && error.refusal.status < 500 && error.refusal.status !== 429) {
        return { allowed: false, reason: error.refusal.message };
      }
      throw error;
    }
  }
}

/** A deleted object with finalizers stays, and goes on to work, until they are done. */
function requireGone(call: ClusterCall, answer: z.infer<typeof DeleteAnswer>): void {
  const finalizers = answer.kind === 'Status' ? [] : answer.metadata.finalizers;
  if (finalizers.length > 0) {
    throw new ClusterNotDone(call, `it is still there, because it waits for its finalizers: ${finalizers.join(', ')}`);
  }
}

/**
 * The API server itself says that there is no object of that name, or that it is another than ours. A bare 404 is not
 * enough: anything can answer that at a wrong URL, and the lease would count as taken down.
 */
function isGone(object: ObjectName, error: unknown): boolean {
  if (!(error instanceof ClusterRefused) || error.refusal.objectName !== object.name) {
    return false;
  }
  const { reason, message } = error.refusal;
  return reason === 'NotFound' || (reason === 'Conflict' && OTHER_UID.test(message));
}

function read<T>(call: ClusterCall, schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (!parsed.success) {
    throw new ClusterUnreachable(call, 'its answer is not what the Kubernetes API promises', { cause: parsed.error });
  }
  return parsed.data;
}
