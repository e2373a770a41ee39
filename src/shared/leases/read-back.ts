import { ClusterError, ClusterNotDone, ClusterRefused } from '../domain/cluster-error.ts';
import { type Access, type Config, clusterOf } from '../domain/config.ts';
import { isIntact } from '../domain/damaged-config.ts';
import { RecordDamaged } from '../domain/errors.ts';
import type { Lease } from '../domain/lease.ts';
import { ownLabels, readMarks } from '../domain/marks.ts';
import { isOrphan } from '../domain/orphan.ts';
import { type Place, placesOf } from '../domain/places.ts';
import type { Cluster, FoundObject } from '../ports/cluster.ts';
import type { Ports } from '../ports/ports.ts';
import { countSwept } from '../telemetry/metrics.ts';
import { inSpan } from '../telemetry/span.ts';
import { allConfigs } from './all-configs.ts';
import { ShortTurns } from './short-turns.ts';

/** Places for which the log has said that they may not be listed. Those beyond this number are logged again. */
const MAX_TOLD = 10_000;

/**
 * Reads the clusters of all configs back by our labels, and removes what belongs to no lease any more: it finds what a
 * store that lost its last writes has forgotten. Objects of others, and of other installations, are not even listed.
 * Where the cluster token may not list, it says so once and goes on. Configs that are damaged are left out.
 */
export class ReadBack {
  readonly #ports: Ports;
  /** Places of which it was said that they may not be listed. */
  readonly #told = new Set<string>();
  readonly #turns: ShortTurns;

  constructor(ports: Ports) {
    this.#ports = ports;
    this.#turns = new ShortTurns(ports.log, 'reading back');
  }

  /**
   * Goes through all clusters once, and returns how many objects it removed. Slow ones may take longer. Throws
   * Unavailable.
   */
  run(): Promise<number> {
    return inSpan('sweep.read-back', {}, async (span) => {
      const read = new Set<string>();
      let removed = 0;
      await this.#turns.run(allConfigs(this.#ports), async (config) => {
        const ofConfig = isIntact(config) ? await this.#clean(config, read) : 0;
        removed += ofConfig;
        return undefined;
      });
      span.setAttribute('leasehold.sweep.removed', removed);
      return removed;
    });
  }

  /**
   * One sick cluster does not keep the others from being read: what does not answer is not asked again for each
   * namespace. A place that one config could not read is left to another that names it, too.
   */
  async #clean({ access, credential }: Config, read: Set<string>): Promise<number> {
    let removed = 0;
    for (const place of placesOf(credential)) {
      const name = nameOf(access, place);
      if (read.has(name)) {
        continue;
      }
      try {
        removed += await this.#removeOrphans(access, place);
        read.add(name);
      } catch (error) {
        if (!(error instanceof ClusterError)) {
          throw error;
        }
        this.#tell(error, name);
        if (!(error instanceof ClusterRefused)) {
          break;
        }
      }
    }
    return removed;
  }

  #tell(error: ClusterError, place: string): void {
    if (!(error instanceof ClusterRefused && error.refusal.status === 403)) {
      this.#ports.log.warn({ place, err: error }, 'sweep: a cluster could not be read back now');
    } else if (!this.#told.has(place)) {
      this.#told.add(place);
      const [oldest] = this.#told;
      if (this.#told.size > MAX_TOLD && oldest !== undefined) {
        this.#told.delete(oldest);
      }
      this.#ports.log.warn(
        { place, err: error },
        'sweep: the cluster token may not list here, so orphans are not found; the rest of the sweep goes on',
      );
    }
  }

  async #removeOrphans(access: Access, place: Place): Promise<number> {
    const { clusters } = this.#ports;
    const lister = clusters.at(access, { purpose: 'question', principal: undefined });
    const remover = clusters.at(access, { purpose: 'take-down', principal: undefined });
    let removed = 0;
    for await (const page of lister.listMarked(place, ownLabels(this.#ports.installation))) {
      const verdicts = await Promise.all(page.map((object) => this.#isOrphan(object)));
      for (const orphan of page.filter((_, index) => verdicts[index])) {
        removed += (await this.#remove(remover, orphan)) ? 1 : 0;
      }
    }
    countSwept('orphan', removed);
    return removed;
  }

  /** Returns whether it is gone. One that waits for its finalizers does not keep those after it from going. */
  async #remove(cluster: Cluster, orphan: FoundObject): Promise<boolean> {
    const { kind, name, uid } = orphan;
    try {
      await cluster.remove(orphan);
    } catch (error) {
      if (!(error instanceof ClusterNotDone)) {
        throw error;
      }
      this.#ports.log.warn({ kind, name, uid, err: error }, 'sweep: an orphan is not gone yet');
      return false;
    }
    this.#ports.log.info({ kind, name, uid }, 'sweep: removed an orphan');
    return true;
  }

  async #isOrphan(object: FoundObject): Promise<boolean> {
    const marks = readMarks(object, this.#ports.installation);
    return marks !== undefined && isOrphan(marks, await this.#leaseOf(marks.leaseId), this.#ports.clock.now());
  }

  /** One whose record is damaged is as good as forgotten: nothing else takes it down. */
  async #leaseOf(id: string): Promise<Lease | undefined> {
    try {
      return await this.#ports.leases.get(id);
    } catch (error) {
      if (!(error instanceof RecordDamaged)) {
        throw error;
      }
      return undefined;
    }
  }
}

/** Tells places apart: the same namespace of the same cluster is read once, however many configs name it. */
function nameOf(access: Access, place: Place): string {
  return `${place.kind} ${'namespace' in place ? place.namespace : '*'} at ${clusterOf(access)}`;
}
