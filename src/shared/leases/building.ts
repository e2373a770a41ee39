import { ClusterError } from '../domain/cluster-error.ts';
import type { Access } from '../domain/config.ts';
import { Aborted } from '../domain/errors.ts';
import type { Lease, LeaseObject } from '../domain/lease.ts';
import { marksOf } from '../domain/marks.ts';
import type { Cluster, MintedToken } from '../ports/cluster.ts';
import type { Ports } from '../ports/ports.ts';
import { allDone } from './all-done.ts';
import { mint } from './mint.ts';

/** The making of a recorded lease's objects and token in its cluster. */
export class Building {
  readonly #ports: Ports;
  readonly #lease: Lease;
  readonly #cluster: Cluster;
  #mayStillAppear = false;

  constructor(ports: Ports, lease: Lease, access: Access) {
    this.#ports = ports;
    this.#lease = lease;
    this.#cluster = ports.clusters.at(access);
  }

  /** Whether a creation failed in a way that leaves open if the object will be there. */
  get mayStillAppear(): boolean {
    return this.#mayStillAppear;
  }

  /**
   * The first object, which the others need; then they and the token, side by side. The caller's patience is looked at
   * between calls only: a call that is cut off could take effect after its undoing.
   */
  async build(signal: AbortSignal | undefined): Promise<{ objects: LeaseObject[]; minted: MintedToken }> {
    const [planned, ...others] = this.#lease.objects;
    const first = planned ? [await this.#create(planned)] : [];
    signal?.throwIfAborted();
    const withFirst = { ...this.#lease, objects: first };
    const [minted, ...made] = await allDone([
      mint(this.#cluster, withFirst, this.#lease.ttlSeconds),
      ...others.map((object) => this.#create(object)),
    ]);
    return { objects: [...first, ...made], minted };
  }

  async #create(object: LeaseObject): Promise<LeaseObject> {
    const { id, namespace, serviceAccount: name, issueDeadline } = this.#lease;
    if (this.#ports.clock.now() >= issueDeadline) {
      throw new Aborted('LEASE_ENDED_MEANWHILE', `issuing lease ${id} took too long, and others may have undone it`);
    }
    try {
      const uid = await this.#cluster.create(
        object,
        { namespace, name },
        marksOf(this.#lease, this.#ports.installation),
      );
      return { ...object, uid };
    } catch (error) {
      this.#mayStillAppear ||= !(error instanceof ClusterError) || error.effectUnknown;
      throw error;
    }
  }
}
