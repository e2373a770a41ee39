import { ClusterError, ClusterRefused } from '../domain/cluster-error.ts';
import type { Access } from '../domain/config.ts';
import { Aborted } from '../domain/errors.ts';
import type { Lease, LeaseObject, Standing } from '../domain/lease.ts';
import { marksOf, readMarks } from '../domain/marks.ts';
import type { Cluster, FoundObject, MintedToken } from '../ports/cluster.ts';
import type { Ports } from '../ports/ports.ts';
import { allDone } from './all-done.ts';
import { useForLease } from './cluster-use.ts';
import { mint } from './mint.ts';
import { NameTaken } from './name-taken.ts';

/** What a lease needs, made in its cluster. */
export interface Built extends Standing {
  minted: MintedToken;
}

/** How long a lease whose objects are made waits for the uid of its namespace. */
const NAMESPACE_PATIENCE_MS = 1_000;

/** The making of a recorded lease's objects and token in its cluster. */
export class Building {
  readonly #ports: Ports;
  readonly #lease: Lease;
  readonly #access: Access;
  /** By the planned object: created, or asked for without a known outcome. What was refused or never sent is not here. */
  readonly #standing = new Map<LeaseObject, LeaseObject>();
  #namespaceUid: string | undefined;
  #mayStillAppear = false;

  constructor(ports: Ports, lease: Lease, access: Access) {
    this.#ports = ports;
    this.#lease = lease;
    this.#access = access;
  }

  /** Whether a creation failed in a way that leaves open if the object will be there. */
  get mayStillAppear(): boolean {
    return this.#mayStillAppear;
  }

  /** What was created so far, or may still appear: all that an undo has to take down. */
  get standing(): Standing {
    const objects = this.#lease.objects.flatMap((planned) => this.#standing.get(planned) ?? []);
    return { objects, namespaceUid: this.#namespaceUid };
  }

  /**
   * The first object, which the others need; then they and the token, side by side. The caller's patience is looked at
   * before the first call and between calls only: a call that is cut off could take effect after its undoing.
   */
  async build(signal: AbortSignal | undefined): Promise<Built> {
    signal?.throwIfAborted();
    const cluster = this.#ports.clusters.at(this.#access, useForLease(this.#lease, 'issue'));
    const [planned, ...others] = this.#lease.objects;
    const first = planned ? [await this.#create(cluster, planned)] : [];
    signal?.throwIfAborted();
    const withFirst = { ...this.#lease, objects: first };
    const [minted] = await allDone([
      mint(cluster, withFirst, this.#lease.ttlSeconds),
      this.#createOthers(cluster, others),
    ]);
    return { ...this.standing, minted };
  }

  async #createOthers(cluster: Cluster, others: readonly LeaseObject[]): Promise<void> {
    await allDone(others.map((object) => this.#create(cluster, object)));
    if (this.#lease.objects.length > 0) {
      await shortly(this.#ports, this.#readNamespace(cluster));
    }
  }

  async #create(cluster: Cluster, object: LeaseObject): Promise<LeaseObject> {
    const { id, namespace, serviceAccount: name, issueDeadline } = this.#lease;
    if (this.#ports.clock.now() >= issueDeadline) {
      throw new Aborted('LEASE_ENDED_MEANWHILE', `issuing lease ${id} took too long, and others may have undone it`);
    }
    this.#standing.set(object, object);
    const marks = marksOf(this.#lease, this.#ports.installation);
    try {
      return this.#made(object, await cluster.create(object, { namespace, name }, marks));
    } catch (error) {
      if (isNamed(error, object) && error.reason === 'CLUSTER_NAME_TAKEN') {
        return this.#recognize(cluster, object, error);
      }
      if (isNamed(error, object) && error.reason === 'CLUSTER_OBJECT_BEING_DELETED') {
        throw new NameTaken(object, error);
      }
      if (error instanceof ClusterError && !error.effectUnknown) {
        this.#standing.delete(object);
      } else {
        this.#mayStillAppear = true;
      }
      throw error;
    }
  }

  #made(object: LeaseObject, uid: string): LeaseObject {
    const made = { ...object, uid };
    this.#standing.set(object, made);
    return made;
  }

  /**
   * The name is in use already, though nobody but the record of this lease knew it: something between here and the API
   * server sent the creation twice, and its first copy made the object. It counts as made where it can be looked at and
   * carries the labels of this very lease. One without them is somebody else's, and is left alone.
   */
  async #recognize(cluster: Cluster, object: LeaseObject, cause: ClusterRefused): Promise<LeaseObject> {
    let uid: string | undefined;
    try {
      uid = await this.#uidOfOwn(cluster, object);
    } catch (error) {
      if (!(error instanceof ClusterError)) {
        throw error;
      }
      // Where it may not be looked at, it stays in the record, and the undo takes it down by its name.
      throw new NameTaken(object, cause);
    }
    if (uid === undefined) {
      this.#standing.delete(object);
      throw new NameTaken(object, cause);
    }
    return this.#made(object, uid);
  }

  async #uidOfOwn(cluster: Cluster, object: LeaseObject): Promise<string | undefined> {
    const found = await this.#look(cluster, object);
    return found && readMarks(found, this.#ports.installation)?.leaseId === this.#lease.id ? found.uid : undefined;
  }

  /** Most tokens may list what reading back needs, some may get it: no permission is needed for this alone. */
  async #look(cluster: Cluster, object: LeaseObject): Promise<FoundObject | undefined> {
    try {
      return await cluster.find(object);
    } catch (error) {
      if (!(error instanceof ClusterRefused)) {
        throw error;
      }
    }
    const { labels } = marksOf(this.#lease, this.#ports.installation);
    for await (const page of cluster.listMarked(object, labels)) {
      const found = page.find(({ name }) => name === object.name);
      if (found) {
        return found;
      }
    }
    return undefined;
  }

  /**
   * Never before an object is created, and never from a cache. A namespace that is deleted and created again before this
   * read is recorded as the new one, though the objects went with the old one: then its uid proves nothing later, and the
   * deletes are waited for. In the other order the old uid would be recorded for objects that stand in the new namespace,
   * which would then count as gone. It is only of use where a lease cannot be taken down otherwise, so an issue neither
   * fails nor waits long for it.
   */
  async #readNamespace(cluster: Cluster): Promise<void> {
    try {
      const found = await cluster.readNamespace(this.#lease.namespace, { unlessDenied: true });
      this.#namespaceUid = found?.uid;
    } catch (error) {
      if (!(error instanceof ClusterError)) {
        this.#ports.log.warn({ lease: this.#lease.id, err: error }, 'could not read the namespace of a lease');
      }
    }
  }
}

/** Waits for what does not fail, but not for long. */
async function shortly({ clock }: Ports, work: Promise<void>): Promise<void> {
  const over = new AbortController();
  const patience = clock.sleep(NAMESPACE_PATIENCE_MS, over.signal).catch((error: unknown) => {
    if (!over.signal.aborted) {
      throw error;
    }
  });
  await Promise.race([work, patience]);
  over.abort();
}

/** A refusal that is about that object. */
function isNamed(error: unknown, { name }: LeaseObject): error is ClusterRefused {
  return error instanceof ClusterRefused && error.refusal.objectName === name;
}
