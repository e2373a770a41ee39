import { connectTo, type LeaseholdClient } from './leasehold.ts';
import type { Showing } from './security.ts';

/** Calls without pause, until it is stopped or a call fails. */
export interface Traffic {
  /** How many calls were answered. */
  readonly answered: number;
  /** What the others failed with. */
  readonly failures: unknown[];
  /** Waits until so many more calls were answered. */
  goesOn(calls?: number): Promise<void>;
  stop(): Promise<void>;
}

/** One caller with two lines to a server: one connection that is kept, and a new one for each call. */
export function startTraffic(address: string, showing: Showing): Traffic {
  const failures: unknown[] = [];
  let answered = 0;
  let isStopped = false;
  const call = async (client: LeaseholdClient) => {
    try {
      await client.leases.listLeases({});
      answered++;
    } catch (error) {
      failures.push(error);
      isStopped = true;
    }
  };
  const kept = connectTo(address, showing);
  const keptLine = async () => {
    while (!isStopped) {
      await call(kept);
    }
    kept.close();
  };
  const newLine = async () => {
    while (!isStopped) {
      const client = connectTo(address, showing);
      await call(client);
      client.close();
    }
  };
  const lines = [keptLine(), newLine()];
  return {
    get answered() {
      return answered;
    },
    failures,
    async goesOn(calls = 50) {
      const enough = answered + calls;
      while (answered < enough && failures.length === 0) {
        await new Promise(setImmediate);
      }
    },
    async stop() {
      isStopped = true;
      await Promise.all(lines);
    },
  };
}
