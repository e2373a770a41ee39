/** What `run` returns where it did not run the work. */
export const LANE_IS_STUCK = Symbol('lane is stuck');

/** Timers may fire so much early. */
const TIMER_SLACK_MS = 2;

interface Lane {
  running: number;
  /** When work last began or ended in it. */
  movedAt: number;
  /** Each begins the next work. */
  waiting: Set<() => void>;
}

/**
 * A lane for each cluster through the worker, so that one that does not answer holds up itself only: in a lane so much
 * runs at the same time, and what does not get its turn soon is turned away, at once where nothing moves, instead of waiting.
 */
export class Lanes {
  readonly #width: number;
  readonly #patienceMs: number;
  readonly #lanes = new Map<string, Lane>();

  /** `width`: how much runs in a lane at once. `patienceMs`: how long to wait for a turn. */
  constructor(width: number, patienceMs: number) {
    this.#width = width;
    this.#patienceMs = patienceMs;
  }

  /** Runs `work` in the lane of that name, or does not, because it is stuck. */
  async run<T>(name: string, work: () => Promise<T>): Promise<T | typeof LANE_IS_STUCK> {
    const lane = this.#lane(name);
    if (lane.running >= this.#width && !(await this.#turn(lane))) {
      return LANE_IS_STUCK;
    }
    lane.running += 1;
    lane.movedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#leave(name, lane);
    }
  }

  #lane(name: string): Lane {
    const lane = this.#lanes.get(name) ?? { running: 0, movedAt: performance.now(), waiting: new Set() };
    this.#lanes.set(name, lane);
    return lane;
  }

  /** Waits for a place; false where none comes free in time. */
  #turn(lane: Lane): Promise<boolean> {
    const patienceLeftMs = lane.movedAt + this.#patienceMs - performance.now();
    if (patienceLeftMs <= TIMER_SLACK_MS) {
      return Promise.resolve(false);
    }
    return new Promise((resolve) => {
      const settle = (isMine: boolean) => {
        clearTimeout(timer);
        lane.waiting.delete(begin);
        resolve(isMine);
      };
      const begin = () => settle(true);
      const timer = setTimeout(() => settle(false), this.#patienceMs);
      lane.waiting.add(begin);
    });
  }

  #leave(name: string, lane: Lane): void {
    lane.running -= 1;
    lane.movedAt = performance.now();
    const [next] = lane.waiting;
    if (next) {
      next();
    } else if (lane.running === 0) {
      this.#lanes.delete(name);
    }
  }
}
