import type { Lease } from '../shared/domain/lease.ts';
import type { TakeDownPool } from '../shared/leases/revoke-matching.ts';
import type { Ports } from '../shared/ports/ports.ts';
import { claimOf } from './claim-of.ts';
import { type Lanes, TURNED_AWAY } from './lanes.ts';
import { LookBackoff } from './look-backoff.ts';

/** The lanes as all batches of a worker share them with the leases that are due. */
export function batchPool(ports: Ports, lanes: Lanes): TakeDownPool {
  const backoff = new LookBackoff();

  return {
    atOnce: lanes.places,
    async mayTry(lease) {
      for (;;) {
        const waitMs = backoff.waitFor(kindOf(lease), ports.clock.now());
        if (!waitMs) {
          return waitMs === 0;
        }
        await ports.clock.sleep(waitMs);
      }
    },
    async run(lease, revoke) {
      const kind = kindOf(lease);
      const result = await lanes.run(await claimOf(ports, lease), () => {
        backoff.foundPlace(kind, ports.clock.now());
        return revoke();
      });
      if (result === TURNED_AWAY) {
        backoff.turnedAway(kind, ports.clock.now());
        return undefined;
      }
      return result;
    },
  };
}

/** Leases of a kind find a place, or none, together. Unlike the claim, it is known without another read. */
function kindOf({ configUid, principal }: Lease): string {
  return JSON.stringify([configUid, principal]);
}
