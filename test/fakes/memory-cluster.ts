import { type ClusterCall, ClusterNotDone, ClusterRefused } from '../../src/shared/domain/cluster-error.ts';
import type { Access, RoleRef } from '../../src/shared/domain/config.ts';
import type { LeaseObject } from '../../src/shared/domain/lease.ts';
import type { Marks } from '../../src/shared/domain/marks.ts';
import type { Place } from '../../src/shared/domain/places.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { MIN_TOKEN_SECONDS } from '../../src/shared/domain/ttl.ts';
import type {
  Cluster,
  FoundNamespace,
  FoundObject,
  FoundRole,
  MintedToken,
  ObjectName,
  ServiceAccountName,
  TokenWish,
  Verdict,
} from '../../src/shared/ports/cluster.ts';
import type { MemoryApiServer } from './memory-api-server.ts';

/** Begins each token that is minted here: where it shows up, a secret does. */
export const MINTED = 'minted-token';

const PAGE = 3;

let minted = 0;

/** One cluster in memory, as the holder of an access sees it. */
export class MemoryCluster implements Cluster {
  readonly #server: MemoryApiServer;
  readonly #access: Access;
  readonly #now: () => number;

  constructor(server: MemoryApiServer, access: Access, now: () => number) {
    this.#server = server;
    this.#access = access;
    this.#now = now;
  }

  async create(object: LeaseObject, _account: ServiceAccountName, marks: Marks): Promise<string> {
    const call = callOn(object, 'create');
    this.#admit(call);
    if (call.namespace !== undefined && this.#server.namespace(call.namespace) === undefined) {
      throw refused(call, 404, 'NotFound', call.namespace);
    }
    if (this.#server.find(object)) {
      throw refused(call, 409, 'AlreadyExists', object.name);
    }
    return this.#server.add(object, marks).uid;
  }

  async remove(object: ObjectName): Promise<void> {
    const call = { ...callOn(object, 'delete'), name: object.name };
    this.#admit(call);
    const found = this.#server.find(object);
    if (!found || (object.uid !== undefined && object.uid !== found.uid)) {
      return;
    }
    this.#server.delete(found);
    if (this.#server.find(object)) {
      throw new ClusterNotDone(call, `it waits for its finalizers: ${found.finalizers.join(', ')}`);
    }
  }

  async mintToken(account: ServiceAccountName, wish: TokenWish): Promise<MintedToken> {
    const call: ClusterCall = { ...accountCall('create', account), subresource: 'token' };
    this.#admit(call);
    this.#requireAccount(call, account);
    const { boundTo } = wish;
    const secret = boundTo && this.#server.find({ kind: 'Secret', namespace: account.namespace, name: boundTo.name });
    if (boundTo && !secret) {
      throw refused(call, 404, 'NotFound', boundTo.name);
    }
    if (boundTo && secret?.uid !== boundTo.uid) {
      throw refused(call, 409, 'Conflict', boundTo.name);
    }
    if (wish.seconds < MIN_TOKEN_SECONDS) {
      throw refused(call, 422, 'Invalid', account.name);
    }
    minted += 1;
    const iat = Math.floor(this.#now() / 1000);
    const exp = iat + Math.min(wish.seconds, this.#server.maxTokenSeconds);
    const claims = { sub: `system:serviceaccount:${account.namespace}:${account.name}`, aud: wish.audiences, iat, exp };
    const token = new Secret(`${MINTED}-${minted}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`);
    return { token, expireTime: exp * 1000 };
  }

  async clockAheadMs(): Promise<number> {
    return 0;
  }

  async readServiceAccount(account: ServiceAccountName): Promise<void> {
    const call = accountCall('get', account);
    this.#admit(call);
    this.#requireAccount(call, account);
  }

  async readNamespace(name: string): Promise<FoundNamespace | undefined> {
    const call: ClusterCall = { verb: 'get', apiGroup: '', resource: 'namespaces', name };
    this.#admit(call);
    if (!this.#server.namespacesAreReadable) {
      throw refused(call, 403, 'Forbidden', name);
    }
    const uid = this.#server.namespace(name);
    return uid === undefined ? undefined : { uid, isTerminating: false };
  }

  async find({ uid: _, ...object }: ObjectName): Promise<FoundObject> {
    const call = { ...callOn(object, 'get'), name: object.name };
    this.#admit(call);
    const found = this.#server.find(object);
    if (!found) {
      throw refused(call, 404, 'NotFound', object.name);
    }
    const { uid, labels, annotations } = found;
    return { ...object, uid, labels, annotations };
  }

  async readRole({ kind, name }: RoleRef, namespace: string): Promise<FoundRole> {
    const where = kind === 'Role' ? { resource: 'roles', namespace } : { resource: 'clusterroles' };
    const call: ClusterCall = { verb: 'get', apiGroup: 'rbac.authorization.k8s.io', ...where, name };
    this.#admit(call);
    const found = this.#server.roles.get(kind === 'Role' ? `${namespace}/${name}` : name);
    if (!found) {
      throw refused(call, 404, 'NotFound', name);
    }
    return found;
  }

  async *listMarked(place: Place, labels: Readonly<Record<string, string>>): AsyncIterable<FoundObject[]> {
    const call = callOn(place, 'list');
    this.#admit(call);
    if (this.#server.unlisted.has(call.resource)) {
      throw refused(call, 403, 'Forbidden', '');
    }
    const found = this.#server.objects.filter(
      (object) =>
        object.kind === place.kind &&
        (!('namespace' in place) || ('namespace' in object && object.namespace === place.namespace)) &&
        Object.entries(labels).every(([key, value]) => object.labels[key] === value),
    );
    for (let start = 0; start < found.length; start += PAGE) {
      const page = found.slice(start, start + PAGE);
      yield page.map(({ name, uid, labels, annotations }) => ({ ...place, name, uid, labels, annotations }));
    }
  }

  async canI(): Promise<Verdict> {
    this.#admit({ verb: 'create', apiGroup: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' });
    return { allowed: true, reason: '' };
  }

  async dryRunCreate(object: LeaseObject): Promise<Verdict> {
    this.#admit(callOn(object, 'create'));
    return { allowed: true, reason: '' };
  }

  #admit(call: ClusterCall): void {
    if (this.#access.kind === 'direct' && this.#server.revokedTokens.has(this.#access.token.reveal())) {
      throw refused(call, 401, 'Unauthorized', '');
    }
    if (call.namespace !== undefined && this.#server.withoutRoles.has(call.namespace)) {
      throw refused(call, 403, 'Forbidden', call.name ?? '');
    }
  }

  #requireAccount(call: ClusterCall, { namespace, name }: ServiceAccountName): void {
    if (!this.#server.find({ kind: 'ServiceAccount', namespace, name })) {
      throw refused(call, 404, 'NotFound', name);
    }
  }
}

/** What an API server says when it refuses a call. */
export function refused(
  call: ClusterCall,
  status: number,
  reason: string,
  objectName: string,
  retryAfterMs?: number,
): ClusterRefused {
  return new ClusterRefused(call, { status, reason, message: reason, objectName, retryAfterMs });
}

/** A call to the objects of a place. */
function callOn(place: Place, verb: ClusterCall['verb']): ClusterCall {
  const apiGroup = place.kind.endsWith('Binding') ? 'rbac.authorization.k8s.io' : '';
  const where = 'namespace' in place ? { namespace: place.namespace } : {};
  return { verb, apiGroup, resource: `${place.kind.toLowerCase()}s`, ...where };
}

function accountCall(verb: 'create' | 'get', account: ServiceAccountName): ClusterCall {
  return { verb, apiGroup: '', resource: 'serviceaccounts', ...account };
}
