import { inject } from 'vitest';
import type { LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import { Admin, type ClusterAddress } from '../admin.ts';
import { eventually } from '../eventually.ts';
import type { LeaseholdClient } from '../leasehold.ts';
import { type Access, type DynamicSetup, setUpDynamic } from '../set-ups.ts';
import type { AgentSpec } from './agent-home.ts';
import { notApart } from './apart.ts';
import { type GatewayInstallation, type InstalledServer, openGatewayInstallation } from './gateway-installation.ts';
import { type OpenGateway, openGateway } from './open-gateway.ts';

/** What tests of gateways themselves begin with: one server, one worker, and the cluster. */
export interface GatewayBed extends AsyncDisposable {
  installation: GatewayInstallation;
  server: InstalledServer;
  client: LeaseholdClient;
  admin: Admin;
  cluster: ClusterAddress;
}

/** On the shared cluster and Redis, where nothing else is given. */
export async function openGatewayBed(
  overrides: Record<string, string> = {},
  { adminToken, ...cluster }: ClusterAddress & { adminToken: string } = inject('controlPlane'),
  redisUrl = inject('redisUrl'),
): Promise<GatewayBed> {
  await using opened = new AsyncDisposableStack();
  const installation = opened.use(await openGatewayInstallation(notApart(cluster, redisUrl), overrides));
  const [server] = await Promise.all([installation.startServer(), installation.startWorker()]);
  const running = opened.move();
  return {
    installation,
    server,
    client: server.client,
    admin: new Admin(cluster, adminToken),
    cluster,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

export function gatewayAccess(name: string): Access {
  return { $case: 'gateway', value: { name } };
}

/** A gateway with an agent that may do what dynamic leases need, and a config of the same name by it. */
export interface BehindGateway extends DynamicSetup, OpenGateway {}

export async function setUpBehindGateway(
  bed: GatewayBed,
  name: string,
  agent: Partial<Pick<AgentSpec, 'servers' | 'environment'>> = {},
): Promise<BehindGateway> {
  const setup = await setUpDynamic(bed, name);
  const gateway = await openGateway(bed.installation, bed.client, { ...agent, token: setup.requester.token }, name);
  const config = { ...setup.config, access: gatewayAccess(name) };
  await bed.client.configs.createConfig({ config });
  return { ...setup, ...gateway, config };
}

/** Waits until a lease is in that state. */
export async function untilLeaseIs(client: LeaseholdClient, id: string, state: LeaseState): Promise<void> {
  await eventually(async () => {
    const lease = await client.leases.getLease({ id });
    if (lease.state !== state) {
      throw new Error(`lease ${id} is in state ${lease.state}, not ${state}: ${lease.lastError}`);
    }
  });
}
