import { KubernetesClusters } from './kubernetes/kubernetes-clusters.ts';
import type { Ports } from './ports/ports.ts';
import { BullmqAlarm } from './queue/bullmq-alarm.ts';
import { connectRedis } from './redis/connect-redis.ts';
import { Keys } from './redis/keys.ts';
import { RedisConfigStore } from './redis/redis-config-store.ts';
import { RedisLeaseStore } from './redis/redis-lease-store.ts';
import { Seal } from './sealing/seal.ts';
import type { Settings } from './settings.ts';
import type { Logger } from './telemetry/logger.ts';

/** The ports with their real adapters, and what ends their connections. */
export interface Runtime {
  ports: Ports;
  keys: Keys;
  close(): Promise<void>;
}

/** Wires server or worker: the one place that knows both the ports and their adapters. */
export async function createRuntime(settings: Settings, log: Logger): Promise<Runtime> {
  const redis = connectRedis(settings.LEASEHOLD_REDIS_URL);
  // BullMQ hangs its hundred scripts on its connection, and each automatic pipeline would copy them.
  const queueRedis = redis.duplicate({ enableAutoPipelining: false });
  for (const connection of [redis, queueRedis]) {
    connection.on('error', (error) => log.warn({ err: error }, 'Redis connection'));
    await connection.connect();
  }

  const keys = new Keys(settings.LEASEHOLD_INSTALLATION);
  const clusters = new KubernetesClusters({
    connections: settings.LEASEHOLD_CLUSTER_CONNECTIONS,
    connectTimeoutMs: settings.LEASEHOLD_CLUSTER_CONNECT_TIMEOUT * 1000,
    callTimeoutMs: settings.LEASEHOLD_CLUSTER_CALL_TIMEOUT * 1000,
  });
  const alarm = new BullmqAlarm({ connection: queueRedis, prefix: keys.queuePrefix }, Date.now, (error) =>
    log.warn({ err: error }, 'expiry queue'),
  );
  return {
    keys,
    ports: {
      configs: new RedisConfigStore(redis, keys, new Seal(settings.LEASEHOLD_SEAL_KEY)),
      leases: new RedisLeaseStore(redis, keys, settings.LEASEHOLD_ENDED_RETENTION * 1000),
      alarm,
      clusters,
      log,
      now: Date.now,
      installation: settings.LEASEHOLD_INSTALLATION,
    },
    async close() {
      await alarm.close();
      redis.disconnect();
      queueRedis.disconnect();
      await clusters.close();
    },
  };
}
