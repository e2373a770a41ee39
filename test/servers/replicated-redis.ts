import { Redis } from 'ioredis';
import { eventually } from '../support/eventually.ts';
import type { RedisProcess } from './redis-process.ts';

/** A Redis with replicas: its masters may be killed, and others take their place. */
export interface ReplicatedRedis {
  url: string;
  /** SIGKILLs the master that holds a key of that name. */
  killMasterOf(key: string): Promise<void>;
  /** Starts again what was killed, with the files that it left: it comes back as a replica. */
  reviveKilled(): Promise<void>;
  /** SIGSTOPs all replicas until disposed. */
  pauseReplicas(): Promise<AsyncDisposable>;
  stop(): Promise<void>;
}

/** Runs commands on one process of Redis. */
export async function askRedis<T>(port: number, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: 0, commandTimeout: 2_000 });
  // What goes wrong, the command itself says.
  redis.on('error', () => undefined);
  try {
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}

/** SIGSTOPs processes; disposing makes them go on, and waits until they are found to. */
export function pause(processes: readonly RedisProcess[], untilFound?: () => Promise<unknown>): AsyncDisposable {
  const signal = (name: NodeJS.Signals) => {
    for (const { pid } of processes) {
      process.kill(pid, name);
    }
  };
  signal('SIGSTOP');
  return {
    async [Symbol.asyncDispose]() {
      signal('SIGCONT');
      await untilFound?.();
    },
  };
}

/** Waits until it is a replica that has all of its master's data. */
export async function waitForReplica({ port }: RedisProcess): Promise<void> {
  await eventually(
    async () => {
      const replication = await askRedis(port, (redis) => redis.info('replication'));
      if (!replication.includes('role:slave') || !replication.includes('master_link_status:up')) {
        throw new Error(`Redis at port ${port} is no replica yet: ${replication}`);
      }
    },
    { everyMs: 50 },
  );
}

/** Whether a process is a master, as it says itself; undefined where it does not answer. */
export async function isMaster({ port }: RedisProcess): Promise<boolean | undefined> {
  return askRedis(port, (redis) => redis.info('replication')).then(
    (replication) => replication.includes('role:master'),
    () => undefined,
  );
}
