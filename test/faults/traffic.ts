import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import type { LeaseholdClient } from '../support/leasehold.ts';
import { seconds } from '../support/set-ups.ts';
import { DYNAMIC, type Installation } from './installation.ts';
import { handingOut } from './journeys.ts';
import { tolerated } from './process-faults.ts';

const EVERY_MS = 50;

/** Callers who issue and revoke all the time, until they are told to stop. */
export interface Traffic {
  /** Resolves when so many more leases have been handed out. */
  more(count: number): Promise<void>;
  /** Resolves when the last call was answered. */
  stop(): Promise<void>;
}

/** Every other lease is revoked at once, the others are left to expire. */
export function startTraffic(installation: Installation, client: LeaseholdClient, ttlSeconds: number): Traffic {
  const issue = handingOut(installation, ({ leases }) =>
    leases.issueLease({ config: DYNAMIC, ttl: seconds(ttlSeconds) }),
  );
  const calls: Promise<void>[] = [];
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      const isRevoked = calls.length % 2 === 0;
      calls.push(
        tolerated(async () => {
          const id = await issue(client);
          if (isRevoked) {
            await client.leases.revokeLease({ id });
          }
        }),
      );
      await sleep(EVERY_MS);
    }
  })();
  return {
    more(count) {
      const goal = installation.handedOut.length + count;
      return eventually(async () => {
        if (installation.handedOut.length < goal) {
          throw new Error(`${goal - installation.handedOut.length} leases of ${count} are not handed out yet`);
        }
      });
    },
    async stop() {
      isOver = true;
      await running;
      await Promise.all(calls);
    },
  };
}
