import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { eventually } from '../support/eventually.ts';
import { DURABLE_REDIS_ARGS } from './redis-args.ts';
import { ensureRedisBinary } from './redis-binary.ts';
import { type RedisProcess, type RedisSpec, startRedisProcess, startRedisProcessAt } from './redis-process.ts';
import { askRedis, isMaster, pause, type ReplicatedRedis, waitForReplica } from './replicated-redis.ts';
import { makeTempFolder } from './temp-folder.ts';

const MASTER_NAME = 'leasehold';
const SENTINELS = 3;

/** How long a master may be silent before the Sentinels replace it: longer than one is that only waits for its turn. */
const DOWN_AFTER_MS = 2_000;

/** How long a failover may take before it is tried anew. */
const FAILOVER_WITHIN_MS = 6_000;

/** Starts a master, its replica, and three Sentinels that watch them, as processes on loopback. */
export async function startRedisSentinel(): Promise<ReplicatedRedis> {
  await using started = new AsyncDisposableStack();
  const folder = await makeTempFolder('sentinel');
  started.defer(() => folder.remove());
  const binary = await ensureRedisBinary();
  const start = async (args: RedisSpec['args']): Promise<RedisProcess> => {
    const redis = await startRedisProcess({ binary, folder: folder.path, args });
    started.defer(() => redis.stop());
    return redis;
  };
  const master = await start(serverArgs);
  const replica = await start(replicaArgs(master));
  await waitForReplica(replica);
  const sentinels = await Promise.all(
    Array.from({ length: SENTINELS }, () => start((port, dir) => sentinelArgs(port, dir, master.port))),
  );
  await Promise.all(sentinels.map(waitUntilItKnowsAll));

  const servers = [master, replica];
  const killed: RedisProcess[] = [];
  const running = started.move();
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER_NAME}`,
    async killMasterOf() {
      const present = await currentMaster(servers);
      process.kill(present.pid, 'SIGKILL');
      killed.push(present);
    },
    async reviveKilled() {
      for (const { port } of killed.splice(0)) {
        const args = replicaArgs(await currentMaster(servers));
        const redis = await startRedisProcessAt(port, { binary, folder: folder.path, args });
        running.defer(() => redis.stop());
        servers.splice(
          servers.findIndex((server) => server.port === port),
          1,
          redis,
        );
        await waitForReplica(redis);
      }
    },
    async pauseReplicas() {
      const present = await currentMaster(servers);
      const replicas = servers.filter((server) => server !== present);
      return pause(replicas, () => Promise.all(sentinels.map(waitUntilItKnowsAll)));
    },
    stop: () => running.disposeAsync(),
  };
}

function serverArgs(port: number, folder: string): string[] {
  return [
    ...['--bind', '127.0.0.1', '--port', `${port}`, '--dir', folder, ...DURABLE_REDIS_ARGS],
    ...['--repl-diskless-sync-delay', '0'],
  ];
}

/** Sentinel would make it a replica too, but only when it has been a second master for eight seconds. */
function replicaArgs(master: RedisProcess): RedisSpec['args'] {
  return (port, folder) => [...serverArgs(port, folder), '--replicaof', '127.0.0.1', `${master.port}`];
}

async function currentMaster(servers: readonly RedisProcess[]): Promise<RedisProcess> {
  for (const server of servers) {
    if (await isMaster(server)) {
      return server;
    }
  }
  throw new Error('no server of the Sentinel set is a master now');
}

/** A Sentinel writes what it learns into its own configuration file. */
async function sentinelArgs(port: number, folder: string, masterPort: number): Promise<string[]> {
  const file = join(folder, 'sentinel.conf');
  await writeFile(
    file,
    [
      'bind 127.0.0.1',
      `port ${port}`,
      `dir ${folder}`,
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${masterPort} 2`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${MASTER_NAME} ${FAILOVER_WITHIN_MS}`,
      '',
    ].join('\n'),
  );
  return [file, '--sentinel'];
}

/** And finds all of them well: it would replace no master by a replica that was silent a moment ago. */
async function waitUntilItKnowsAll({ port }: RedisProcess): Promise<void> {
  await eventually(
    async () => {
      const [info, replicas] = await askRedis(port, (redis) =>
        Promise.all([redis.info('sentinel'), redis.call('SENTINEL', 'REPLICAS', MASTER_NAME)]),
      );
      const flags = z
        .array(z.array(z.string()))
        .parse(replicas)
        .map((fields) => fields[fields.indexOf('flags') + 1]);
      if (!info.includes(`status=ok`) || !info.includes(`sentinels=${SENTINELS}`) || flags.join() !== 'slave') {
        throw new Error(`Sentinel at port ${port} does not find all well yet: ${info}; replicas: ${flags}`);
      }
    },
    { everyMs: 50 },
  );
}
