import type { GatewayRef } from '../domain/config.ts';
import type { Ports } from '../ports/ports.ts';

const POLL_MS = 100;

/**
 * Waits until no server holds a stream of an identity that does not count any more. It ends soon: such a link cannot be
 * announced again, and one that is not is forgotten. Throws Unavailable.
 */
export async function untilCutOff(ports: Ports, gateway: GatewayRef): Promise<void> {
  while (await isHeld(ports, gateway)) {
    await ports.clock.sleep(POLL_MS);
  }
}

async function isHeld(ports: Ports, gateway: GatewayRef): Promise<boolean> {
  const links = await ports.gatewayLinks.of(gateway);
  const identities = await Promise.all(links.map(({ identityId }) => ports.gateways.identity(identityId)));
  return identities.includes(undefined);
}
