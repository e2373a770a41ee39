import { setTimeout as sleep } from 'node:timers/promises';
import type { Ports } from '../ports/ports.ts';
import { forEach } from './for-each.ts';

/** So much is begun at the same time. */
const PLACES = 16;

/** For so long work holds its place. */
const PLACE_MS = 250;

/** For so long a run waits for work that is slow; then it leaves it under way. */
const PATIENCE_MS = 30_000;

/** What it is done for, of whom there may be something under way still. */
interface Config {
  uid: string;
}

/** What `work` returns where it did not get its turn at the cluster: what was slow are others. */
export const WAITED = Symbol('waited');

type Work<T> = (config: T) => Promise<typeof WAITED | undefined>;

/**
 * Runs of work that calls the clusters of configs, where slow ones must not hold up the others: work that takes longer
 * than its place lasts goes on beside the rest, also after its run. A config that has such work is passed over until
 * that ends, so there is never more of it than configs, nor more begun than `PLACES` in `PLACE_MS`. What fails once it
 * is slow is logged; the next run repeats it.
 */
export class ShortTurns {
  readonly #log: Ports['log'];
  readonly #name: string;
  readonly #underWay = new Map<string, Promise<unknown>>();
  #slow: ReadonlySet<string> = new Set();

  /** `name`: of the work, for the log. */
  constructor(log: Ports['log'], name: string) {
    this.#log = log;
    this.#name = name;
  }

  /** Whether its work was slow in the last run. */
  wasSlow({ uid }: Config): boolean {
    return this.#slow.has(uid);
  }

  /** Throws what `work` throws within its place; then no more is begun. */
  async run<T extends Config>(configs: AsyncGenerator<T>, work: Work<T>): Promise<void> {
    const slow = new Set(this.#underWay.keys());
    await forEach(configs, PLACES, async (config) => {
      if (this.#underWay.has(config.uid)) {
        return;
      }
      const working = work(config).finally(() => this.#underWay.delete(config.uid));
      this.#underWay.set(config.uid, working);
      if (!(await isDoneWithin(PLACE_MS, working))) {
        slow.add(config.uid);
        void this.#leave(config, working, slow);
      }
    });
    this.#slow = slow;
    await isDoneWithin(PATIENCE_MS, Promise.allSettled(this.#underWay.values()));
  }

  async #leave({ uid }: Config, working: ReturnType<Work<Config>>, slow: Set<string>): Promise<void> {
    try {
      if ((await working) === WAITED) {
        slow.delete(uid);
      }
    } catch (error) {
      this.#log.warn({ configUid: uid, err: error }, `${this.#name} of a slow cluster failed; the next run repeats it`);
    }
  }
}

/** Throws what `work` throws until then. By the monotonic clock: it is this process that must not be held up. */
async function isDoneWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  const over = new AbortController();
  const patience = sleep(ms, false, { signal: over.signal }).catch((error: unknown) => {
    if (!over.signal.aborted) {
      throw error;
    }
    return false;
  });
  try {
    return await Promise.race([work.then(() => true), patience]);
  } finally {
    over.abort();
  }
}
