import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTempFolder } from '../../servers/temp-folder.ts';
import type { ClusterAddress } from '../admin.ts';
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
  /** A token of the service account that it runs under. Left out: one that no API server knows. */
  token?: string;
  cluster: ClusterAddress;
  environment: Record<string, string>;
}

const NO_TOKEN = 'of-nobody';

export async function openAgentHome(spec: AgentSpec): Promise<AgentHome> {
  await using opened = new AsyncDisposableStack();
  const folder = await makeTempFolder('agent');
  opened.defer(() => folder.remove());
  const file = (name: string) => join(folder.path, name);
  await writeFile(file('token'), spec.token ?? NO_TOKEN, { mode: 0o600 });
  await writeFile(file('ca.pem'), spec.cluster.caPem);
  const environment = {
    LEASEHOLD_GATEWAY_SERVERS: spec.servers.join(','),
    LEASEHOLD_GATEWAY_ENROLMENT_TOKEN: spec.enrolmentToken,
    LEASEHOLD_GATEWAY_IDENTITY: file('identity.json'),
    LEASEHOLD_GATEWAY_API_SERVER: spec.cluster.url,
    LEASEHOLD_GATEWAY_TOKEN_FILE: file('token'),
    LEASEHOLD_GATEWAY_CA_FILE: file('ca.pem'),
    ...spec.environment,
  };
  const running = opened.move();
  return {
    async start() {
      const agent = spawnLeasehold('gateway', environment);
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
