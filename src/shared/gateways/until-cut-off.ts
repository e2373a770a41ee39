import type { GatewayRef } from '../domain/config.ts';
import { Unavailable } from '../domain/errors.ts';
import type { Ports } from '../ports/ports.ts';

const POLL_MS = 100;

/** A link that is not announced any more is forgotten before that, unless the store's clock was put back. */
const AT_MOST_MS = 5_000;

/**
 * Waits until no server holds a stream of an identity that does not count any more. It ends soon: such a link cannot be
 * announced again, and one that is not is forgotten. Throws Unavailable.
 */
export async function untilCutOff(ports: Ports, gateway: GatewayRef): Promise<void> {
  for (let waitedMs = 0; await isHeld(ports, gateway); waitedMs += POLL_MS) {
    if (waitedMs >= AT_MOST_MS) {
      throw new Unavailable(
        'GATEWAY_STILL_ATTACHED',
        `the keys of gateway ${JSON.stringify(gateway.name)} are void, but a server may still hold a stream of it`,
      );
    }
    await ports.clock.sleep(POLL_MS);
  }
}

async function isHeld(ports: Ports, gateway: GatewayRef): Promise<boolean> {
  const links = await ports.gatewayLinks.of(gateway);
  const identities = await Promise.all(links.map(({ identityId }) => ports.gateways.identity(identityId)));
  return identities.includes(undefined);
}
