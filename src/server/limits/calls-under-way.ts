import { ResourceExhausted } from '../../shared/domain/errors.ts';

const RETRY_MS = 1_000;

/** Counts the calls that each caller has under way at this server. */
export class CallsUnderWay {
  readonly #most: number;
  readonly #counts = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** `caller`: what it is, and its name. Counts one more, until what it returns is called. Throws ResourceExhausted. */
  begin(caller: string): () => void {
    const count = this.#counts.get(caller) ?? 0;
    if (count >= this.#most) {
      throw new ResourceExhausted(
        'TOO_MANY_CALLS',
        `${caller} has as many calls under way at this server as it may: ${this.#most} (LEASEHOLD_MAX_CALLS_PER_PRINCIPAL). Wait until some end`,
        { subject: caller, retryAfterMs: RETRY_MS },
      );
    }
    this.#counts.set(caller, count + 1);
    let hasEnded = false;
    return () => {
      if (!hasEnded) {
        hasEnded = true;
        this.#end(caller);
      }
    };
  }

  #end(caller: string): void {
    const left = (this.#counts.get(caller) ?? 1) - 1;
    if (left > 0) {
      this.#counts.set(caller, left);
    } else {
      this.#counts.delete(caller);
    }
  }
}
