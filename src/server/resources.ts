import type { Config, ConfigDraft } from '../shared/domain/config.ts';
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

export async function leaseOf(ports: Ports, id: string): Promise<{ lease: Lease; resource: Resource }> {
  const lease = await findLease(ports, id);
  return { lease, resource: leaseResource(lease, await ports.configs.get(lease.config)) };
}

export async function gatewayOf(ports: Ports, name: string): Promise<{ gateway: Gateway; resource: Resource }> {
  return { gateway: await findGateway(ports, name), resource: { kind: 'gateway', name } };
}

export function configResource(config: Pick<Config, 'name' | 'labels'>): Resource {
  return { kind: 'config', config };
}

/** `config`: what now has the name of the lease's. Another one's labels do not count. */
export function leaseResource(lease: Lease, config: Pick<Config, 'uid' | 'labels'> | undefined): Resource {
  const labels = config?.uid === lease.configUid ? config.labels : {};
  return { kind: 'lease', lease, config: { name: lease.config, labels } };
}

/** What a config hands out; nothing where that is not known, because it is damaged. */
export function credentialConditions({
  credential,
}: {
  credential?: ConfigDraft['credential'] | undefined;
}): Conditions {
  return credential?.kind !== 'dynamic'
    ? {}
    : { roleKind: credential.role.kind, clusterWide: credential.bindingScope === 'cluster' };
}
