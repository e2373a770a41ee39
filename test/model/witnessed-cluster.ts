import { type Access, clusterOf, type RoleRef } from '../../src/shared/domain/config.ts';
import type { Lease, LeaseObject } from '../../src/shared/domain/lease.ts';
import { type Marks, readMarks } from '../../src/shared/domain/marks.ts';
import type { Permission } from '../../src/shared/domain/permissions.ts';
import type { Place } from '../../src/shared/domain/places.ts';
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
import type { StoredObject } from '../fakes/memory-api-server.ts';
import type { Made } from './history.ts';
import type { Destination, Process } from './process.ts';
import { INSTALLATION, type World } from './world.ts';

/** A cluster as a process sees it; what is made and removed there is held against the invariants. */
export class WitnessedCluster implements Cluster {
  readonly #world: World;
  readonly #process: Process;
  readonly #url: string;
  readonly #cluster: Cluster;
  readonly #to: Destination;

  constructor(world: World, process: Process, access: Access) {
    this.#world = world;
    this.#process = process;
    this.#url = clusterOf(access);
    this.#cluster = world.clusters.at(access);
    this.#to = { service: 'cluster', url: clusterOf(access) };
  }

  create(object: LeaseObject, account: ServiceAccountName, marks: Marks): Promise<string> {
    const { history } = this.#world;
    const lease = history.recorded.get(leaseIdIn(object));
    history.require(
      lease?.objects.some(({ kind }) => kind === object.kind) ?? false,
      1,
      () => `${this.#process.name} makes ${object.name}, which no record names`,
    );
    return this.#process.call(this.#to, async () => {
      const uid = await this.#cluster.create(object, account, marks);
      const { id = 'unknown', purpose = 'lease' } = lease ?? {};
      history.made.set(`${this.#url} ${uid}`, { url: this.#url, uid, objectKind: object.kind, leaseId: id, purpose });
      this.#checkMarks(object, lease, marks);
      this.#checkTime(id);
      return uid;
    });
  }

  remove(object: ObjectName): Promise<void> {
    const known = this.#knownUid(object);
    this.#world.history.require(
      object.uid !== undefined || known === undefined,
      3,
      () => `${this.#process.name} removes ${object.name} without its uid ${known}`,
    );
    return this.#process.call(this.#to, async () => {
      const found = this.#world.clusters.server(this.#url).find(object);
      if (found && (object.uid === undefined || object.uid === found.uid)) {
        await this.#checkRemoval(found);
      }
      await this.#cluster.remove(object);
    });
  }

  mintToken(account: ServiceAccountName, wish: TokenWish): Promise<MintedToken> {
    return this.#process.call(this.#to, () => this.#cluster.mintToken(account, wish));
  }

  clockAheadMs(): Promise<number> {
    return this.#cluster.clockAheadMs();
  }

  readServiceAccount(account: ServiceAccountName): Promise<void> {
    return this.#process.call(this.#to, () => this.#cluster.readServiceAccount(account));
  }

  readNamespace(name: string): Promise<FoundNamespace | undefined> {
    return this.#process.call(this.#to, () => this.#cluster.readNamespace(name));
  }

  find(object: ObjectName): Promise<FoundObject> {
    return this.#process.call(this.#to, () => this.#cluster.find(object));
  }

  readRole(role: RoleRef, namespace: string): Promise<FoundRole> {
    return this.#process.call(this.#to, () => this.#cluster.readRole(role, namespace));
  }

  async *listMarked(place: Place, labels: Readonly<Record<string, string>>): AsyncIterable<FoundObject[]> {
    const pages = this.#cluster.listMarked(place, labels)[Symbol.asyncIterator]();
    for (;;) {
      const page = await this.#process.call(this.#to, () => pages.next());
      if (page.done) {
        return;
      }
      yield page.value;
    }
  }

  canI(permission: Permission): Promise<Verdict> {
    return this.#process.call(this.#to, () => this.#cluster.canI(permission));
  }

  dryRunCreate(object: LeaseObject, account: ServiceAccountName): Promise<Verdict> {
    return this.#process.call(this.#to, () => this.#cluster.dryRunCreate(object, account));
  }

  #checkMarks(object: LeaseObject, lease: Lease | undefined, marks: Marks): void {
    const read = readMarks(marks, INSTALLATION);
    const isRight = read?.leaseId === lease?.id && read?.expireTime === lease?.expireTime;
    this.#world.history.require(isRight, 7, () => `${object.name} was made with marks ${JSON.stringify(marks)}`);
  }

  /** Nothing appears after its lease has ended, unless by force, or its issuer was taken for dead. */
  #checkTime(leaseId: string): void {
    const { history } = this.#world;
    const { endTime, forced = false } = this.#world.storedLease(leaseId) ?? {};
    history.require(
      endTime === undefined || forced || history.isDisturbed,
      4,
      () => `lease ${leaseId} has ended already`,
    );
  }

  /** The uid of an object that the record of its lease tells just now. */
  #knownUid(object: ObjectName): string | undefined {
    const lease = this.#world.storedLease(leaseIdIn(object));
    return lease?.objects.find((candidate) => candidate.kind === object.kind)?.uid;
  }

  /** Only what was made for a lease may go, and only when the lease is to end. */
  async #checkRemoval(found: StoredObject): Promise<void> {
    const { history } = this.#world;
    const made = history.made.get(`${this.#url} ${found.uid}`);
    if (!made) {
      // A store that lost the uid cannot tell that somebody else has put another object there.
      const isForgotten = history.tainted.has(leaseIdIn(found));
      history.require(isForgotten, 3, () => `${this.#process.name} removes ${found.name}, which is somebody else's`);
    } else if (!history.tainted.has(made.leaseId) || this.#process.name === 'read-back') {
      this.#checkOwnRemoval(found, made);
    }
  }

  #checkOwnRemoval(found: StoredObject, { leaseId, purpose }: Made): void {
    const { history, clock } = this.#world;
    const lease = this.#world.storedLease(leaseId);
    const isForgottenTrial = !lease && purpose === 'trial';
    const isOwnExpiryOver = (readMarks(found, INSTALLATION)?.expireTime ?? Number.NaN) < clock.now();
    const may = lease ? lease.state !== 'PENDING' && lease.state !== 'ACTIVE' : isForgottenTrial || isOwnExpiryOver;
    history.require(
      may,
      4,
      () => `${this.#process.name} removes ${found.name} of lease ${leaseId}, which is ${lease?.state}`,
    );
  }
}

function leaseIdIn({ name }: { name: string }): string {
  return name.replace('leasehold-', '');
}
