import { FailedPrecondition } from '../domain/errors.ts';
import type { Gateway } from '../domain/gateway.ts';
import { allConfigs } from '../leases/all-configs.ts';
import type { Ports } from '../ports/ports.ts';
import { findGateway } from './find-gateway.ts';
import { untilCutOff } from './until-cut-off.ts';

/**
 * Removes a gateway and waits until no server holds a stream of it. Throws NotFound, FailedPrecondition while configs
 * name it and there is no `force`, or Unavailable.
 */
export async function deleteGateway(ports: Ports, name: string, { force }: { force: boolean }): Promise<void> {
  const gateway = await findGateway(ports, name);
  if (!force) {
    await requireUnused(ports, gateway);
  }
  await ports.gateways.delete(gateway);
  ports.log.info({ gateway: name }, 'gateway deleted');
  await untilCutOff(ports, gateway);
}

async function requireUnused(ports: Ports, gateway: Gateway): Promise<void> {
  for await (const { name, access } of allConfigs(ports)) {
    if (access.gateway?.uid === gateway.uid) {
      throw new FailedPrecondition(
        'GATEWAY_IN_USE',
        `config ${JSON.stringify(name)} names gateway ${JSON.stringify(gateway.name)}: change or delete it first; force would leave its leases in the cluster`,
      );
    }
  }
}
