import { isIntact } from '../domain/damaged-config.ts';
import { FailedPrecondition } from '../domain/errors.ts';
import type { Gateway } from '../domain/gateway.ts';
import { allConfigs } from '../leases/all-configs.ts';
import { liveLeases } from '../leases/live-leases.ts';
import { ownAccess } from '../leases/own-access.ts';
import type { Ports } from '../ports/ports.ts';
import { untilCutOff } from './until-cut-off.ts';

/**
 * Removes a gateway and waits until no server holds a stream of it. Throws FailedPrecondition while it is, or may be,
 * needed and there is no `force`, or Unavailable.
 */
export async function deleteGateway(ports: Ports, gateway: Gateway, { force }: { force: boolean }): Promise<void> {
  if (!force) {
    await requireUnnamed(ports, gateway);
    await requireUnneeded(ports, gateway);
  }
  await ports.gateways.delete(gateway);
  ports.log.info({ gateway: gateway.name }, 'gateway deleted');
  await untilCutOff(ports, gateway);
}

async function requireUnnamed(ports: Ports, gateway: Gateway): Promise<void> {
  for await (const config of allConfigs(ports)) {
    const { name } = config;
    if (!isIntact(config)) {
      throw new FailedPrecondition(
        'GATEWAY_IN_USE',
        `config ${JSON.stringify(name)} may name gateway ${JSON.stringify(gateway.name)}, which cannot be told, because it is damaged: repair or delete it first; force would leave its leases in the cluster`,
      );
    }
    if (config.access.gateway?.uid === gateway.uid) {
      throw new FailedPrecondition(
        'GATEWAY_IN_USE',
        `config ${JSON.stringify(name)} names gateway ${JSON.stringify(gateway.name)}: change or delete it first; force would leave its leases in the cluster`,
      );
    }
  }
}

/** A config that has gone to another cluster leaves leases behind, which are taken down by the way that they came. */
async function requireUnneeded(ports: Ports, gateway: Gateway): Promise<void> {
  for await (const page of liveLeases(ports, undefined)) {
    for (const lease of page) {
      const access = await ownAccess(ports, lease);
      if (access?.gateway?.uid === gateway.uid) {
        throw new FailedPrecondition(
          'GATEWAY_IN_USE',
          `lease ${lease.id} was issued through gateway ${JSON.stringify(gateway.name)}: revoke it first; force would leave it in the cluster`,
        );
      }
    }
  }
}
