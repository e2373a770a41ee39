import type { Lease, LeaseObject } from '../../src/shared/domain/lease.ts';
import type { Marks } from '../../src/shared/domain/marks.ts';
import type { Place } from '../../src/shared/domain/places.ts';

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
  #made = 0;

  /** Longest token that it gives; longer wishes get this. */
  maxTokenSeconds = 2 ** 32;
  /** Tokens of which it says 401. */
  readonly revokedTokens = new Set<string>();
  /** Resources (`serviceaccounts`) that may not be listed. */
  readonly unlisted = new Set<string>();

  get objects(): StoredObject[] {
    return [...this.#objects.values()];
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
