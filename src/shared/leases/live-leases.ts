import { type Lease, LIVE_STATES } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';

const PAGE = 200;

/** The leases that live, on one config and of one principal or (undefined) of any, page by page, the newest first. */
export async function* liveLeases(
  ports: Ports,
  config: string | undefined,
  principal?: string,
): AsyncIterable<Lease[]> {
  let before: string | undefined;
  do {
    const page = await ports.leases.list({ config, principal, states: LIVE_STATES, before, limit: PAGE });
    yield page;
    before = page.at(-1)?.id;
  } while (before !== undefined);
}
