import { randomUUID } from 'node:crypto';
import type { LeaseholdClient } from '../leasehold.ts';
import type { LeaseholdProcess } from '../leasehold-process.ts';
import type { AgentHome } from './agent-home.ts';
import type { AgentOf, GatewayInstallation } from './gateway-installation.ts';

/** A gateway and its one agent, which is attached. */
export interface OpenGateway {
  name: string;
  home: AgentHome;
  agent: LeaseholdProcess;
}

type Gateways = Pick<LeaseholdClient, 'gateways'>;

/** Makes a gateway known and starts an agent of it. */
export async function openGateway(
  installation: GatewayInstallation,
  { gateways }: Gateways,
  agent: Omit<AgentOf, 'enrolmentToken'>,
  name = `gateway-${randomUUID().slice(0, 8)}`,
): Promise<OpenGateway> {
  const { enrolmentToken } = await gateways.createGateway({ name });
  return start(installation, name, { ...agent, enrolmentToken: enrolmentToken?.token ?? '' });
}

/** Starts one more agent, with a key of its own. */
export async function addAgent(
  installation: GatewayInstallation,
  { gateways }: Gateways,
  agent: Omit<AgentOf, 'enrolmentToken'>,
  name: string,
): Promise<OpenGateway> {
  const { enrolmentToken } = await gateways.createEnrolmentToken({ gateway: name });
  return start(installation, name, { ...agent, enrolmentToken: enrolmentToken?.token ?? '' });
}

async function start(installation: GatewayInstallation, name: string, agent: AgentOf): Promise<OpenGateway> {
  const home = await installation.openAgentHome(agent);
  return { name, home, agent: await home.start() };
}
