import type { ClusterAddress } from '../admin.ts';
import { makeGatewaySite } from '../gateway-site.ts';
import { type LeaseholdProcess, spawnLeasehold } from '../leasehold-process.ts';

/** Where an agent runs: its files, and what it is told. */
export interface AgentHome extends AsyncDisposable {
  /** Starts an agent there, and returns when it is attached. One that is started later has the same identity. */
  start(): Promise<LeaseholdProcess>;
}

export interface AgentSpec {
  enrolmentToken: string;
  /** `host:port` of the servers' relays. */
  servers: readonly string[];
  serverCaPem: string;
  /** A token of the service account that it runs under. Left out: one that no API server knows. */
  token?: string;
  cluster: ClusterAddress;
  environment: Record<string, string>;
}

const NO_TOKEN = 'of-nobody';

export async function openAgentHome(spec: AgentSpec): Promise<AgentHome> {
  await using opened = new AsyncDisposableStack();
  const site = await makeGatewaySite({
    ...spec,
    servers: spec.servers.join(','),
    apiServer: spec.cluster,
    token: spec.token ?? NO_TOKEN,
  });
  opened.defer(() => site.remove());
  const running = opened.move();
  return {
    async start() {
      const agent = spawnLeasehold('gateway', { ...site.environment, ...spec.environment });
      running.defer(() => end(agent));
      await agent.logged('attached');
      return agent;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function end(agent: LeaseholdProcess): Promise<void> {
  agent.kill('SIGKILL');
  await agent.exited;
}
