import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseholdClient } from '../support/leasehold.ts';
import { type Rejection, rejectionOf } from '../support/rejection.ts';
import { seconds } from '../support/set-ups.ts';
import type { HandedOut } from './installation.ts';

const CALLERS = 16;

/** Between two calls of one caller: the machine has more to do. */
const PAUSE_MS = 100;

/** Callers that issue one lease after the other, whatever becomes of it. */
export interface Callers {
  refused: Rejection[];
  /** The longest time in which none of them got a lease. */
  longestSilenceMs(): number;
  /** From now on they call there. */
  moveTo(client: LeaseholdClient): void;
  /** Resolves when so many more have been issued. */
  more(count: number): Promise<void>;
  /** Resolves when so many more have been refused. */
  moreRefused(count: number): Promise<void>;
  /** Resolves when the last call was answered. */
  stop(): Promise<void>;
}

/** What they get is added to `handedOut`. */
export function startCallers(
  handedOut: HandedOut[],
  first: LeaseholdClient,
  request: { config: string; ttlSeconds: number; callers?: number },
): Callers {
  const refused: Rejection[] = [];
  const issuedAt = [performance.now()];
  let client = first;
  let goesOn = true;
  const call = async () => {
    while (goesOn) {
      const answer = client.leases.issueLease({ config: request.config, ttl: seconds(request.ttlSeconds) });
      const lease = await answer.then(
        (issued) => issued.lease,
        () => undefined,
      );
      if (lease) {
        issuedAt.push(performance.now());
        handedOut.push({ id: lease.id, expireTime: Number(lease.expireTime) });
      } else {
        refused.push(await rejectionOf(answer));
      }
      await sleep(PAUSE_MS);
    }
  };
  const calling = Promise.all(Array.from({ length: request.callers ?? CALLERS }, call));
  const growsBy = async (list: readonly unknown[], count: number) => {
    const goal = list.length + count;
    while (list.length < goal) {
      // A caller that ends with an error ends the waiting.
      await Promise.race([sleep(PAUSE_MS), calling]);
    }
  };
  return {
    refused,
    longestSilenceMs: () => Math.max(...issuedAt.slice(1).map((at, index) => at - (issuedAt[index] ?? at))),
    moveTo(next) {
      client = next;
    },
    more: (count) => growsBy(handedOut, count),
    moreRefused: (count) => growsBy(refused, count),
    async stop() {
      goesOn = false;
      await calling;
    },
  };
}
