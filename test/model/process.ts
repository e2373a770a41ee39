import { LeaseholdError } from '../../src/shared/domain/errors.ts';
import type { VirtualClock } from '../fakes/virtual-clock.ts';
import { complaintOf, type FaultKind, type Faults, failureOf, type Service } from './faults.ts';

/** As long as a call to a cluster may take. */
export const CALL_TIMEOUT_MS = 13_000;

const PAUSE_MS = 200_000;

/** How late what was given up may still come, at most: an API server ends its work in this time, Redis when it goes on. */
const LATEST_MS: Record<Service, number> = { cluster: 60_000, store: 8_000, alarm: 8_000 };

const NEVER = new Promise<never>(() => undefined);

/** What a call depends on. */
export interface Surroundings {
  clock: VirtualClock;
  faults: Faults;
  random: () => number;
}

/** What a call goes to: a service, and of a cluster its URL. */
export interface Destination {
  service: Service;
  url?: string;
}

/**
 * One who runs one use case. Its calls take time, and meet faults. When it dies, what it sent is on its way still, but
 * none of its calls returns any more, so nothing after them happens.
 */
export class Process {
  readonly name: string;
  readonly #around: Surroundings;
  readonly #onDeath: (() => void)[] = [];
  #isDead = false;

  constructor(name: string, around: Surroundings) {
    this.name = name;
    this.#around = around;
  }

  onDeath(tell: () => void): void {
    this.#onDeath.push(tell);
  }

  /** Makes a call whose work is `effect`. */
  async call<T>(to: Destination, effect: () => Promise<T>): Promise<T> {
    if (this.#isDead) {
      return NEVER;
    }
    const { clock, faults } = this.#around;
    const fault = faults.next(to.service);
    if (fault) {
      return this.#meet(fault, to.service, effect);
    }
    const delayMs = this.#delay(to);
    if (delayMs > 0) {
      await clock.sleep(delayMs);
    }
    return this.#hear(this.#answer(to, effect));
  }

  /** What the service says: its answer, or its complaint. */
  async #answer<T>({ service, url }: Destination, effect: () => Promise<T>): Promise<T> {
    const weather = this.#around.faults.weatherAt(url ?? 'store');
    const complaint = url ? complaintOf(weather) : weather === 'fine' ? undefined : failureOf(service);
    if (complaint && (weather !== 'breaks' || this.#around.random() < 0.5)) {
      throw complaint;
    }
    const result = await effect();
    if (complaint) {
      throw complaint;
    }
    return result;
  }

  async #meet<T>(fault: FaultKind, service: Service, effect: () => Promise<T>): Promise<T> {
    const { clock } = this.#around;
    switch (fault) {
      case 'fails':
        throw failureOf(service);
      case 'answer lost':
        await effect().catch(ignore);
        return this.#hear(Promise.reject(failureOf(service)));
      case 'late':
        clock.after(this.#lateness(service), () => void effect().catch(ignore));
        throw failureOf(service);
      case 'dies before':
        this.#die();
        return NEVER;
      case 'dies after':
        this.#die();
        await effect().catch(ignore);
        return NEVER;
      case 'dies, late':
        this.#die();
        clock.after(this.#lateness(service), () => void effect().catch(ignore));
        return NEVER;
      case 'pauses': {
        const result = await effect();
        await clock.sleep(PAUSE_MS);
        return this.#hear(Promise.resolve(result));
      }
    }
  }

  /** The dead hear nothing. */
  async #hear<T>(answer: Promise<T>): Promise<T> {
    try {
      const result = await answer;
      return this.#isDead ? NEVER : result;
    } catch (error) {
      return this.#isDead ? NEVER : Promise.reject(error);
    }
  }

  /** Half of the calls are answered at once; the others let somebody else go first. */
  #delay({ service, url }: Destination): number {
    const { faults, random } = this.#around;
    if (url && faults.weatherAt(url) === 'hangs') {
      return CALL_TIMEOUT_MS;
    }
    const luck = random();
    return luck < 0.5 ? 0 : Math.ceil(luck * (service === 'cluster' ? 40 : 4));
  }

  /** As late as may be, in half of the cases: there is most to go wrong. */
  #lateness(service: Service): number {
    return Math.ceil(Math.min(1, 2 * this.#around.random()) * LATEST_MS[service]);
  }

  #die(): void {
    this.#isDead = true;
    for (const tell of this.#onDeath) {
      tell();
    }
  }
}

/** Nobody hears how it went; a fault of ours is told all the same. */
function ignore(error: unknown): void {
  if (!(error instanceof LeaseholdError)) {
    throw error;
  }
}
