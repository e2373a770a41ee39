import { eventually } from '../support/eventually.ts';
import { freePort } from './free-port.ts';
import { DURABLE_REDIS_ARGS } from './redis-args.ts';
import { ensureRedisBinary } from './redis-binary.ts';
import { type RedisProcess, type RedisSpec, startRedisProcess, startRedisProcessAt } from './redis-process.ts';
import { askRedis, isMaster, pause, type ReplicatedRedis, waitForReplica } from './replicated-redis.ts';
import { makeTempFolder } from './temp-folder.ts';

const MASTERS = 3;
const SLOTS = 16_384;

/** How long a master may be silent before its replica takes its place. */
const NODE_TIMEOUT_MS = 3_000;

/** Starts a Cluster of three masters, each with a replica, as processes on loopback. */
export async function startRedisCluster(): Promise<ReplicatedRedis> {
  await using started = new AsyncDisposableStack();
  const folder = await makeTempFolder('cluster');
  started.defer(() => folder.remove());
  const binary = await ensureRedisBinary();
  const busPorts = new Map<number, number>();
  const spec: RedisSpec = {
    binary,
    folder: folder.path,
    async args(port, dir) {
      const busPort = busPorts.get(port) ?? (await freePort());
      busPorts.set(port, busPort);
      return nodeArgs(port, busPort, dir);
    },
  };
  const nodes = await Promise.all(Array.from({ length: 2 * MASTERS }, () => startRedisProcess(spec)));
  for (const node of nodes) {
    started.defer(() => node.stop());
  }
  await join(nodes, busPorts);

  const killed: RedisProcess[] = [];
  const running = started.move();
  return {
    url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    async killMasterOf(key) {
      const [first] = nodes;
      const port = await askRedis(first?.port ?? 0, async (redis) => {
        const slot = Number(await redis.cluster('KEYSLOT', key));
        const ranges = await redis.cluster('SLOTS');
        return ranges.find(([from, to]) => from <= slot && slot <= to)?.[2]?.[1];
      });
      const node = nodes.find((each) => each.port === port);
      if (!node) {
        throw new Error(`no node of the Cluster holds the key ${key}`);
      }
      process.kill(node.pid, 'SIGKILL');
      killed.push(node);
    },
    async reviveKilled() {
      for (const { port } of killed.splice(0)) {
        const node = await startRedisProcessAt(port, spec);
        running.defer(() => node.stop());
        nodes.splice(
          nodes.findIndex((each) => each.port === port),
          1,
          node,
        );
        await waitForReplica(node);
      }
    },
    async pauseReplicas() {
      const mastery = await Promise.all(nodes.map(isMaster));
      return pause(nodes.filter((_, index) => !mastery[index]));
    },
    stop: () => running.disposeAsync(),
  };
}

function nodeArgs(port: number, busPort: number, folder: string): string[] {
  return [
    ...['--bind', '127.0.0.1', '--port', `${port}`, '--dir', folder, ...DURABLE_REDIS_ARGS],
    ...['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`],
    ...['--cluster-node-timeout', `${NODE_TIMEOUT_MS}`, '--repl-diskless-sync-delay', '0'],
  ];
}

/** What `redis-cli --cluster create` does, which is not on every PATH. The first half become the masters. */
async function join(nodes: readonly RedisProcess[], busPorts: ReadonlyMap<number, number>): Promise<void> {
  const [first, ...others] = nodes;
  await Promise.all(
    nodes.map(({ port }, index) =>
      askRedis(port, async (redis) => {
        await redis.cluster('SET-CONFIG-EPOCH', index + 1);
        if (index < MASTERS) {
          const [from, to] = [index, index + 1].map((each) => Math.floor((each * SLOTS) / MASTERS));
          await redis.cluster('ADDSLOTSRANGE', from ?? 0, (to ?? 0) - 1);
        }
      }),
    ),
  );
  await askRedis(first?.port ?? 0, async (redis) => {
    for (const { port } of others) {
      await redis.call('CLUSTER', 'MEET', '127.0.0.1', port, busPorts.get(port) ?? 0);
    }
  });
  await Promise.all(nodes.map((node) => waitForInfo(node, `cluster_known_nodes:${nodes.length}`)));
  await Promise.all(
    nodes.slice(MASTERS).map(async (replica, index) => {
      const masterId = await askRedis(nodes[index]?.port ?? 0, (redis) => redis.cluster('MYID'));
      await askRedis(replica.port, (redis) => redis.cluster('REPLICATE', masterId));
      await waitForReplica(replica);
    }),
  );
  await Promise.all(nodes.map((node) => waitForInfo(node, 'cluster_state:ok')));
}

async function waitForInfo({ port }: RedisProcess, line: string): Promise<void> {
  await eventually(
    async () => {
      const info = String(await askRedis(port, (redis) => redis.cluster('INFO')));
      if (!info.includes(line)) {
        throw new Error(`the Cluster's node at port ${port} does not say ${line} yet: ${info}`);
      }
    },
    { everyMs: 50 },
  );
}
