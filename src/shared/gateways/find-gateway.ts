import { NotFound } from '../domain/errors.ts';
import type { Gateway } from '../domain/gateway.ts';
import type { Ports } from '../ports/ports.ts';

/** The gateway of that name. Throws NotFound. */
export async function findGateway(ports: Ports, name: string): Promise<Gateway> {
  const gateway = await ports.gateways.get(name);
  if (!gateway) {
    throw new NotFound('gateway', name);
  }
  return gateway;
}
