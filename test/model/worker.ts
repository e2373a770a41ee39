import { retryDelay } from '../../src/shared/domain/retry-delay.ts';
import type { Happening } from '../fakes/virtual-clock.ts';
import { POLICY, READ_BACK_INTERVAL_MS, SWEEP_INTERVAL_MS, TAKE_OVER_MS } from './policy.ts';
import type { World } from './world.ts';

/** What wakes up by itself: alarms ring, batches are worked on, and the sweep comes again and again. */
export class ModelWorker implements Happening {
  readonly #world: World;
  /** How many times rarer the sweep comes. */
  #pace = 1;

  constructor(world: World) {
    this.#world = world;
    this.#every(SWEEP_INTERVAL_MS, () => this.sweep());
    this.#every(READ_BACK_INTERVAL_MS, () => this.readBack());
  }

  slowDown(pace: number): void {
    this.#pace = pace;
  }

  nextAt(): number | undefined {
    // The queue is in the store.
    return this.#world.faults.weatherAt('store') === 'fine' ? this.#world.alarm.nextAt() : undefined;
  }

  happen(): void {
    const { alarm, clock } = this.#world;
    for (const id of alarm.takeRinging(clock.now())) {
      this.ring(id);
    }
    for (const id of alarm.takeBatches(clock.now())) {
      this.#runBatch(id);
    }
  }

  /** What the worker does when the alarm of a lease rings; it may do so twice at once. */
  ring(id: string): void {
    const { alarm, useCases } = this.#world;
    this.#world.start(
      'worker',
      async (ports) => {
        const lease = await ports.leases.get(id);
        return lease && useCases.expire(ports, lease);
      },
      { result: (again) => alarm.done(id, again), ...this.#retrying((at) => alarm.done(id, at)) },
    );
  }

  sweep(): void {
    this.#world.start('sweep', (ports) => this.#world.useCases.sweep(ports));
  }

  readBack(): void {
    this.#world.start('read-back', (ports) => this.#world.useCases.readBack(ports));
  }

  #runBatch(id: string): void {
    const { alarm, useCases } = this.#world;
    this.#world.start('batch', (ports) => useCases.runBatch(ports, id), {
      result: () => alarm.done(id, undefined),
      ...this.#retrying((at) => alarm.done(id, at)),
    });
  }

  /** A job that failed comes again; one whose worker died is taken over. */
  #retrying(ringAgain: (at: number) => void) {
    const { clock, random } = this.#world;
    return {
      error: () => ringAgain(clock.now() + retryDelay(1, POLICY.retry, random)),
      death: () => clock.after(TAKE_OVER_MS, () => ringAgain(clock.now())),
    };
  }

  #every(ms: number, work: () => void): void {
    this.#world.clock.after(ms * this.#pace, () => {
      work();
      this.#every(ms, work);
    });
  }
}
