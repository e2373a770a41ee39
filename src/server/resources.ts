import type { Access, AccessDraft, Config, ConfigDraft } from '../shared/domain/config.ts';
import type { StoredConfig } from '../shared/domain/damaged-config.ts';
import type { Gateway } from '../shared/domain/gateway.ts';
import type { Lease } from '../shared/domain/lease.ts';
import { findGateway } from '../shared/gateways/find-gateway.ts';
import { findConfig } from '../shared/leases/find-config.ts';
import { findLease } from '../shared/leases/find-lease.ts';
import type { Conditions, Resource } from '../shared/ports/authorizer.ts';
import type { Ports } from '../shared/ports/ports.ts';

// What RPCs are about, found, and as the policies see it.

/** All of this Leasehold. */
export const INSTALLATION: { resource: Resource } = { resource: { kind: 'installation' } };

export async function configOf(ports: Ports, name: string): Promise<{ config: StoredConfig; resource: Resource }> {
  const config = await findConfig(ports, name);
  return { config, resource: configResource(config) };
}

/** With the config that it was issued on, where that is still there. */
export async function leaseOf(
  ports: Ports,
  id: string,
): Promise<{ lease: Lease; config: StoredConfig | undefined; resource: Resource }> {
  const lease = await findLease(ports, id);
  const named = await ports.configs.get(lease.config);
  const config = named?.uid === lease.configUid ? named : undefined;
  return { lease, config, resource: leaseResource(lease, config) };
}

export async function gatewayOf(ports: Ports, name: string): Promise<{ gateway: Gateway; resource: Resource }> {
  const gateway = await findGateway(ports, name);
  return { gateway, resource: gatewayResource(gateway) };
}

export function gatewayResource({ name }: Pick<Gateway, 'name'>): Resource {
  return { kind: 'gateway', name };
}

export function configResource(config: Pick<Config, 'name' | 'labels'>): Resource {
  return { kind: 'config', config };
}

/** `config`: what now has the name of the lease's. Another one's labels do not count. */
export function leaseResource(lease: Lease, config: Pick<Config, 'uid' | 'labels'> | undefined): Resource {
  const labels = config?.uid === lease.configUid ? config.labels : {};
  return { kind: 'lease', lease, config: { name: lease.config, labels } };
}

/** What a config hands out, and by whom. A damaged one may not tell any more: then it counts as what is most. */
export function credentialConditions(config: CredentialView): Conditions {
  const { credential } = config;
  const gateway = gatewayNameOf(config);
  if (credential?.kind === 'dynamic') {
    return { roleKind: credential.role.kind, clusterWide: credential.bindingScope === 'cluster', gateway };
  }
  return { clusterWide: credential === undefined, gateway };
}

/** Of a draft, gateways are named; what is stored knows them by more. */
interface CredentialView {
  credential?: ConfigDraft['credential'] | undefined;
  access?: AccessDraft | Access | undefined;
}

function gatewayNameOf({ access }: CredentialView): string | undefined {
  const gateway = access?.gateway;
  return typeof gateway === 'object' ? gateway.name : gateway;
}
