import type { Lease, LeaseObject } from '../../src/shared/domain/lease.ts';
import type { Marks } from '../../src/shared/domain/marks.ts';
import type { Place } from '../../src/shared/domain/places.ts';
import type { FoundRole } from '../../src/shared/ports/cluster.ts';

/** An object as it stands in a cluster. */
export type StoredObject = Place &
  Marks & {
    name: string;
    uid: string;
    /** Deleted, but it waits for its finalizers. */
    isGoing: boolean;
    finalizers: readonly string[];
  };

/** What stands in one cluster. */
export class MemoryApiServer {
  readonly #objects = new Map<string, StoredObject>();
  /** By name, their uids. */
  readonly #namespaces = new Map<string, string>();
  #made = 0;

  /** Longest token that it gives; longer wishes get this. */
  maxTokenSeconds = 2 ** 32;
  /** Tokens of which it says 401. */
  readonly revokedTokens = new Set<string>();
  /** ClusterRoles by their names, Roles by `namespace/name`. */
  readonly roles = new Map<string, FoundRole>([['view', { isEmpty: false, isAggregated: true }]]);
  /** Resources (`serviceaccounts`) that may not be listed. */
  readonly unlisted = new Set<string>();
  /** Namespaces whose roles are gone: nothing may be done in them. */
  readonly withoutRoles = new Set<string>();
  /** Whether namespaces themselves may be read. */
  namespacesAreReadable = true;

  constructor() {
    for (const name of ['one', 'two']) {
      this.createNamespace(name);
    }
  }

  get objects(): StoredObject[] {
    return [...this.#objects.values()];
  }

  /** The uid of a namespace; undefined where there is none. */
  namespace(name: string): string | undefined {
    return this.#namespaces.get(name);
  }

  createNamespace(name: string): void {
    this.#made += 1;
    this.#namespaces.set(name, `uid-${this.#made}`);
  }

  /** With all that is in it, its roles included. */
  deleteNamespace(name: string): void {
    this.#namespaces.delete(name);
    this.withoutRoles.add(name);
    for (const [key, object] of this.#objects) {
      if ('namespace' in object && object.namespace === name) {
        this.#objects.delete(key);
      }
    }
  }

  find(name: NamedPlace): StoredObject | undefined {
    return this.#objects.get(keyOf(name));
  }

  add(object: LeaseObject | NamedPlace, marks: Marks = { labels: {}, annotations: {} }): StoredObject {
    this.#made += 1;
    const stored = { ...object, ...marks, uid: `uid-${this.#made}`, isGoing: false, finalizers: [] };
    this.#objects.set(keyOf(object), stored);
    return stored;
  }

  /** Deletes an object; it stays while it has finalizers. */
  delete(object: StoredObject): void {
    if (object.finalizers.length > 0) {
      object.isGoing = true;
    } else {
      this.#objects.delete(keyOf(object));
    }
  }

  setFinalizers(object: StoredObject, finalizers: readonly string[]): void {
    object.finalizers = finalizers;
    if (object.isGoing) {
      this.delete(object);
    }
  }

  /** Those that carry the names of a lease's objects. */
  objectsOf(lease: Lease): StoredObject[] {
    return lease.objects.map((object) => this.find(object)).filter((found) => found !== undefined);
  }
}

type NamedPlace = Place & { name: string };

function keyOf(object: NamedPlace): string {
  return `${object.kind}/${'namespace' in object ? object.namespace : ''}/${object.name}`;
}
