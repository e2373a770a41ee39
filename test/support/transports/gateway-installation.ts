import { makeTempFolder } from '../../servers/temp-folder.ts';
import { connectTo, type LeaseholdClient, leaseholdEnvironment } from '../leasehold.ts';
import { type LeaseholdProcess, type Role, spawnLeasehold } from '../leasehold-process.ts';
import { type AgentHome, type AgentSpec, openAgentHome } from './agent-home.ts';
import type { Apart } from './apart.ts';
import { writeRelayCertificate } from './relay-certificate.ts';

/** A Leasehold of processes, and agents of its gateways. All end with it. */
export interface GatewayInstallation extends AsyncDisposable {
  where: Apart;
  /** Settings of servers and workers. */
  environment: Record<string, string>;
  /** What servers and workers logged. */
  logs: string[];
  /** Starts a server, and returns when it serves. */
  startServer(): Promise<InstalledServer>;
  /** Starts a worker, and returns when it works. */
  startWorker(): Promise<LeaseholdProcess>;
  /** A place for an agent. Where no cluster or servers are given: the installation's, and all that were started. */
  openAgentHome(agent: AgentOf): Promise<AgentHome>;
}

export interface InstalledServer {
  process: LeaseholdProcess;
  address: string;
  relayAddress: string;
  client: LeaseholdClient;
}

export type AgentOf = Pick<AgentSpec, 'enrolmentToken'> & Partial<AgentSpec>;

/** Takes over the place: it ends with the installation. */
export async function openGatewayInstallation(
  where: Apart,
  overrides: Record<string, string> = {},
): Promise<GatewayInstallation> {
  await using opened = new AsyncDisposableStack();
  opened.use(where);
  const folder = await makeTempFolder('relay');
  opened.defer(() => folder.remove());
  const certificate = await writeRelayCertificate(folder.path);
  const environment = leaseholdEnvironment(where.redisUrl, {
    LEASEHOLD_LISTEN: `${where.host}:0`,
    LEASEHOLD_RELAY_LISTEN: `${where.host}:0`,
    ...certificate.ofServers,
    ...overrides,
  });
  const logs: string[] = [];
  const relays: string[] = [];
  const running = opened.move();

  const spawn = (role: Role) => {
    const child = spawnLeasehold(role, environment, { launcher: where.launcher, alsoLogTo: logs });
    running.defer(async () => {
      child.kill('SIGKILL');
      await child.exited;
    });
    return child;
  };
  return {
    where,
    environment,
    logs,
    async startServer() {
      const process = spawn('server');
      const { address: relayAddress = '' } = await process.logged('relay listening');
      const { address = '' } = await process.logged('serving');
      const client = connectTo(address);
      running.defer(() => client.close());
      relays.push(relayAddress);
      return { process, address, relayAddress, client };
    },
    async startWorker() {
      const worker = spawn('worker');
      await worker.logged('working');
      return worker;
    },
    async openAgentHome({ servers = relays, environment = {}, ...agent }) {
      const told = { ...certificate.ofAgents, ...where.agentEnvironment, ...environment };
      const { caPem: serverCaPem } = certificate;
      const { seenByAgents: cluster } = where;
      const home = await openAgentHome({ cluster, serverCaPem, ...agent, servers, environment: told });
      return running.use(home);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
