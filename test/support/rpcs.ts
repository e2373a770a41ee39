import { randomUUID } from 'node:crypto';
import type { CallOptions } from 'nice-grpc';
import { ConfigServiceDefinition } from '../../src/gen/leasehold/v1/config_service.ts';
import { GatewayServiceDefinition } from '../../src/gen/leasehold/v1/gateway_service.ts';
import { LeaseServiceDefinition } from '../../src/gen/leasehold/v1/lease_service.ts';
import type { Action } from '../../src/shared/ports/authorizer.ts';
import type { LeaseholdClient } from './leasehold.ts';
import type { ConfigFields } from './set-ups.ts';

/** Names of all RPCs that there are. A new one is among them before anybody thinks of it. */
export const RPCS = [ConfigServiceDefinition, LeaseServiceDefinition, GatewayServiceDefinition].flatMap((service) =>
  Object.values(service.methods).map(({ name }) => name as Action),
);

type Clients = Pick<LeaseholdClient, 'configs' | 'leases' | 'gateways'>;

/** What valid requests are about. Whoever prepares them may do everything. */
export interface Ground {
  admin: Clients;
  /** A config that is there, as CreateConfig takes it. */
  config: ConfigFields & { name: string };
}

/** A call that succeeds for whoever may make it. */
export type ReadyCall = (clients: Clients, options: CallOptions) => Promise<unknown>;

/** Makes what an RPC needs, and its valid call, which is good for one success. */
export const PREPARE: Record<Action, (ground: Ground) => Promise<ReadyCall>> = {
  async CreateConfig({ config }) {
    return ({ configs }, options) => configs.createConfig({ config: { ...config, name: fresh('made') } }, options);
  },
  async GetConfig({ config: { name } }) {
    return ({ configs }, options) => configs.getConfig({ name }, options);
  },
  async ListConfigs() {
    return ({ configs }, options) => configs.listConfigs({}, options);
  },
  async UpdateConfig({ config }) {
    const wanted = { name: config.name, labels: { ...config.labels, touched: fresh('at') } };
    return ({ configs }, options) => configs.updateConfig({ config: wanted, updateMask: ['labels'] }, options);
  },
  async DeleteConfig(ground) {
    const name = await freshConfig(ground);
    return ({ configs }, options) => configs.deleteConfig({ name }, options);
  },
  async CheckConfig({ config: { name } }) {
    return ({ configs }, options) => configs.checkConfig({ target: { $case: 'name', value: name } }, options);
  },
  async IssueLease({ config: { name } }) {
    return ({ leases }, options) => leases.issueLease({ config: name }, options);
  },
  async RenewLease(ground) {
    const id = await freshLease(ground);
    return ({ leases }, options) => leases.renewLease({ id }, options);
  },
  async RevokeLease(ground) {
    const id = await freshLease(ground);
    return ({ leases }, options) => leases.revokeLease({ id }, options);
  },
  async BatchRevokeLeases(ground) {
    const name = await freshConfig(ground);
    return ({ leases }, options) =>
      Array.fromAsync(leases.batchRevokeLeases({ target: { $case: 'config', value: name } }, options));
  },
  async GetLease(ground) {
    const id = await freshLease(ground);
    return ({ leases }, options) => leases.getLease({ id }, options);
  },
  async ListLeases() {
    return ({ leases }, options) => leases.listLeases({}, options);
  },
  async CreateGateway() {
    return ({ gateways }, options) => gateways.createGateway({ name: fresh('gateway') }, options);
  },
  async GetGateway(ground) {
    const name = await freshGateway(ground);
    return ({ gateways }, options) => gateways.getGateway({ name }, options);
  },
  async ListGateways() {
    return ({ gateways }, options) => gateways.listGateways({}, options);
  },
  async CreateEnrolmentToken(ground) {
    const gateway = await freshGateway(ground);
    return ({ gateways }, options) => gateways.createEnrolmentToken({ gateway }, options);
  },
  async DeleteGateway(ground) {
    const name = await freshGateway(ground);
    return ({ gateways }, options) => gateways.deleteGateway({ name }, options);
  },
};

function fresh(what: string): string {
  return `${what}-${randomUUID().slice(0, 8)}`;
}

async function freshConfig({ admin, config }: Ground): Promise<string> {
  const { name } = await admin.configs.createConfig({ config: { ...config, name: fresh('config') } });
  return name;
}

async function freshLease({ admin, config: { name } }: Ground): Promise<string> {
  return (await admin.leases.issueLease({ config: name })).lease?.id ?? '';
}

async function freshGateway({ admin }: Ground): Promise<string> {
  return (await admin.gateways.createGateway({ name: fresh('gateway') })).gateway?.name ?? '';
}
