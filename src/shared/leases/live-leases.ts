import { type Lease, LIVE_STATES } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';

const PAGE = 200;

/** The leases that live, on one config or (undefined) on any, page by page, the newest first. */
export async function* liveLeases(ports: Ports, config: string | undefined): AsyncIterable<Lease[]> {
  let before: string | undefined;
  do {
    const page = await ports.leases.list({ config, principal: undefined, states: LIVE_STATES, before, limit: PAGE });
    yield page;
    before = page.at(-1)?.id;
  } while (before !== undefined);
}
