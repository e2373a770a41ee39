import { setTimeout as sleep } from 'node:timers/promises';
import { KubernetesClusters } from './kubernetes/kubernetes-clusters.ts';
import type { Policy, Ports } from './ports/ports.ts';
import { BullmqAlarm } from './queue/bullmq-alarm.ts';
import { connectRedis } from './redis/connect-redis.ts';
import { Keys } from './redis/keys.ts';
import { RedisBatchStore } from './redis/redis-batch-store.ts';
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
  const limits = {
    connections: settings.LEASEHOLD_CLUSTER_CONNECTIONS,
    connectTimeoutMs: settings.LEASEHOLD_CLUSTER_CONNECT_TIMEOUT * 1000,
    callTimeoutMs: settings.LEASEHOLD_CLUSTER_CALL_TIMEOUT * 1000,
  };
  const clusters = new KubernetesClusters(limits, log);
  const alarm = new BullmqAlarm({ connection: queueRedis, prefix: keys.queuePrefix }, Date.now, (error) =>
    log.warn({ err: error }, 'alarm queue'),
  );
  return {
    keys,
    ports: {
      configs: new RedisConfigStore(redis, keys, new Seal(settings.LEASEHOLD_SEAL_KEY)),
      leases: new RedisLeaseStore(redis, keys, settings.LEASEHOLD_ENDED_RETENTION * 1000),
      batches: new RedisBatchStore(redis, keys),
      alarm,
      clusters,
      log,
      clock: {
        now: Date.now,
        sleep: async (ms, signal) => void (await sleep(ms, undefined, signal ? { signal } : {})),
      },
      random: Math.random,
      policy: policyOf(settings),
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

/** Calls to a cluster that follow each other while a lease is issued, and some for what else takes time. */
const CALLS_IN_AN_ISSUE = 4;

/** While it is taken down: with the newest credentials, then with those of its issue. */
const CALLS_IN_A_TAKE_DOWN = 2;

/** An alarm is set by the first sweep that sees it, and by another where that one comes late. */
const HORIZON_IN_SWEEPS = 2;

function policyOf(settings: Settings): Policy {
  const callMs = (settings.LEASEHOLD_CLUSTER_CONNECT_TIMEOUT + settings.LEASEHOLD_CLUSTER_CALL_TIMEOUT) * 1000;
  return {
    retry: {
      initialMs: settings.LEASEHOLD_RETRY_INITIAL * 1000,
      maxMs: settings.LEASEHOLD_RETRY_MAX * 1000,
      stalledAfter: settings.LEASEHOLD_STALLED_AFTER,
    },
    alarmHorizonMs: HORIZON_IN_SWEEPS * settings.LEASEHOLD_SWEEP_INTERVAL * 1000,
    issueTimeoutMs: CALLS_IN_AN_ISSUE * callMs,
    takeDownTimeoutMs: CALLS_IN_A_TAKE_DOWN * callMs,
    settleMs: settings.LEASEHOLD_SETTLE_TIME * 1000,
  };
}
