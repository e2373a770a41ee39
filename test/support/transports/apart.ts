import { openNetworkNamespace } from '../../servers/network-namespace.ts';
import type { ClusterAddress } from '../admin.ts';
import { startTcpProxy } from '../tcp-proxy.ts';
import { PRIVATE_NAME } from './private-names.ts';

/** Where server and worker run when the cluster is private: they cannot reach its API server, which agents can. */
export interface Apart extends AsyncDisposable {
  /** Runs the command line that follows it there. */
  launcher: readonly string[];
  /** Address of what listens there. */
  host: string;
  /** The Redis, as it is reached from there. */
  redisUrl: string;
  /** The API server, as an agent reaches it. */
  seenByAgents: ClusterAddress;
  /** The same, as a config names it. */
  cluster: ClusterAddress;
  /** What only agents are told. */
  agentEnvironment: Record<string, string>;
}

/** A network namespace; where none can be made, an address that only the agents are told. */
export async function openApart(cluster: ClusterAddress, redisUrl: string): Promise<Apart> {
  try {
    return await inOwnNetwork(cluster, redisUrl);
  } catch (error) {
    console.error(
      `No network namespace (${error instanceof Error ? error.message : error}): server and worker are kept from the ` +
        `API server only by its address, https://${PRIVATE_NAME}, which nobody but the agents can resolve.`,
    );
    return behindPrivateName(cluster, redisUrl);
  }
}

/** Here, where the API server is reached like everything else. */
export function notApart(cluster: ClusterAddress, redisUrl: string): Apart {
  return {
    launcher: [],
    host: '127.0.0.1',
    redisUrl,
    seenByAgents: cluster,
    cluster,
    agentEnvironment: {},
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** The API server listens on this machine's loopback, which is another one there. */
async function inOwnNetwork(cluster: ClusterAddress, redisUrl: string): Promise<Apart> {
  await using opened = new AsyncDisposableStack();
  const network = await openNetworkNamespace();
  opened.defer(() => network.stop());
  const redis = new URL(redisUrl);
  const cable = await startTcpProxy({ hostname: redis.hostname, port: Number(redis.port) }, network.outside);
  opened.defer(() => cable.stop());
  redis.host = `${network.outside}:${cable.port}`;
  const running = opened.move();
  return {
    launcher: network.launcher,
    host: network.inside,
    redisUrl: redis.href,
    seenByAgents: cluster,
    cluster,
    agentEnvironment: {},
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** One of the names in the certificate of every API server. */
const CERTIFIED_NAME = 'kubernetes.default.svc';

function behindPrivateName(cluster: ClusterAddress, redisUrl: string): Apart {
  const url = new URL(cluster.url);
  url.hostname = PRIVATE_NAME;
  return {
    ...notApart(cluster, redisUrl),
    cluster: { caPem: cluster.caPem, url: url.origin, serverName: CERTIFIED_NAME },
    agentEnvironment: { NODE_OPTIONS: `--import=${new URL('./private-names.ts', import.meta.url).href}` },
  };
}
