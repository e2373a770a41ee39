import { ClusterNotCalled, ClusterUnreachable } from '../../src/shared/domain/cluster-error.ts';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { refused } from '../fakes/memory-cluster.ts';

/** What a call goes to. */
export type Service = 'store' | 'alarm' | 'cluster';

/** What becomes of one call. */
export type FaultKind =
  /** It fails, and does nothing. */
  | 'fails'
  /** It does its work, and fails all the same: the answer is lost. */
  | 'answer lost'
  /** It fails, and does its work some time later. */
  | 'late'
  /** Nobody is there any more to hear the answer. */
  | 'dies before'
  | 'dies after'
  | 'dies, late'
  /** Whoever calls is stopped for minutes, and then goes on. */
  | 'pauses';

/** The `skip`-th next call to a service meets it. */
export interface Fault {
  service: Service;
  skip: number;
  kind: FaultKind;
}

/** How a service is, until that changes. */
export type Weather = 'fine' | 'down' | 'hangs' | 'forbids' | 'throttles' | 'breaks';

const CALL = { verb: 'create', apiGroup: '', resource: 'anything' } as const;

/** What a throttling API server asks to wait. */
export const RETRY_AFTER_MS = 30_000;

/** What fails, and when. */
export class Faults {
  haveStopped = false;
  readonly #planned: Fault[] = [];
  readonly #weather = new Map<string, Weather>();

  plan(fault: Fault): void {
    this.#planned.push({ ...fault });
  }

  /** `where`: a cluster's URL, or `store`. */
  setWeather(where: string, weather: Weather): void {
    this.#weather.set(where, weather);
  }

  weatherAt(where: string): Weather {
    return this.#weather.get(where) ?? 'fine';
  }

  /** From here on all goes well. */
  stop(): void {
    this.haveStopped = true;
    this.#planned.length = 0;
    this.#weather.clear();
  }

  /** What the call meets that is made now. */
  next(service: Service): FaultKind | undefined {
    for (const [index, fault] of this.#planned.entries()) {
      if (fault.service === service) {
        if (fault.skip === 0) {
          this.#planned.splice(index, 1);
          return fault.kind;
        }
        fault.skip -= 1;
      }
    }
    return undefined;
  }
}

/** What a failed call says. */
export function failureOf(service: Service): Error {
  return service === 'cluster'
    ? new ClusterUnreachable(CALL, 'no answer')
    : new Unavailable('STORE_UNAVAILABLE', 'the store cannot be reached');
}

/** What a cluster in bad weather says; undefined: nothing bad. A cluster that breaks may have done its work. */
export function complaintOf(weather: Weather): Error | undefined {
  switch (weather) {
    case 'fine':
      return undefined;
    case 'down':
      return new ClusterNotCalled(CALL, 'connection refused');
    case 'hangs':
      return new ClusterUnreachable(CALL, 'no answer in time');
    case 'forbids':
      return refused(CALL, 403, 'Forbidden', '');
    case 'throttles':
      return refused(CALL, 429, 'TooManyRequests', '', RETRY_AFTER_MS);
    case 'breaks':
      return refused(CALL, 500, 'InternalError', '');
  }
}
