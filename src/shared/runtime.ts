import { setTimeout as sleep } from 'node:timers/promises';
import { parseAnchors } from './domain/certificates.ts';
import { parsedAt } from './domain/malformed.ts';
import { EgressGuard } from './kubernetes/egress/egress-guard.ts';
import { KubernetesClusters } from './kubernetes/kubernetes-clusters.ts';
import { openKeyring } from './open-keyring.ts';
import { leaseLimitsOf, policyOf } from './policy.ts';
import type { Ports } from './ports/ports.ts';
import { warnOfProxies } from './proxy-environment.ts';
import { BullmqAlarm } from './queue/bullmq-alarm.ts';
import { AcknowledgedScripts } from './redis/acknowledged-scripts.ts';
import { findVolatility } from './redis/check-durability.ts';
import { type RedisClient, RedisConnections } from './redis/connect-redis.ts';
import { DamageReports } from './redis/damage-reports.ts';
import { KeyCustody, type Rewrapping } from './redis/key-custody.ts';
import { Keys } from './redis/keys.ts';
import { RedisAccesses } from './redis/redis-accesses.ts';
import { RedisBatchStore } from './redis/redis-batch-store.ts';
import { RedisConfigStore } from './redis/redis-config-store.ts';
import { RedisGatewayLinks } from './redis/redis-gateway-links.ts';
import { RedisGatewayStore } from './redis/redis-gateway-store.ts';
import { RedisLeaseStore } from './redis/redis-lease-store.ts';
import { RedisRenewalNotes } from './redis/redis-renewal-notes.ts';
import { PlainScripts, type ScriptRunner } from './redis/script-runner.ts';
import { GatewayRelay } from './relay/gateway-relay.ts';
import { Peers } from './relay/peers.ts';
import type { Keyring } from './sealing/keyring.ts';
import type { Settings } from './settings.ts';
import type { Logger } from './telemetry/logger.ts';
import { WatchedFiles } from './watched-files.ts';

/** The ports with their real adapters, and what ends their connections. */
export interface Runtime {
  ports: Ports;
  keys: Keys;
  /** Finds ways to gateways; a server adds those of its own. */
  relay: GatewayRelay;
  keyring: Keyring;
  /** Brings what is sealed under older keys of the keyring under the primary. */
  rewrap(): Promise<Rewrapping>;
  /** A connection to wait at for jobs. It outlasts an outage of Redis, and is closed with the others. */
  connectForJobs(): Promise<RedisClient>;
  close(): Promise<void>;
}

/** What processes of one installation show each other: derived for this from a key that all have. */
export const PEER_BEARER = 'leasehold/forward/v1';

/** Wires server or worker: the one place that knows both the ports and their adapters. */
export async function createRuntime(settings: Settings, log: Logger): Promise<Runtime> {
  warnOfProxies(process.env, log);
  const connections = new RedisConnections(settings.LEASEHOLD_REDIS_URL, (error) =>
    log.warn({ err: error }, 'Redis connection'),
  );
  const redis = await connections.open('calls');
  await requireDurable(redis, settings, log);
  const scripts = await openScripts(redis, connections, settings);
  const queueRedis = await connections.open('queue');

  const keys = new Keys(settings.LEASEHOLD_INSTALLATION);
  const damage = new DamageReports((error) => log.error({ err: error }, 'a record in Redis is damaged'));
  const custody = new KeyCustody(redis, scripts, keys, damage);
  const { keyring, close: closeKeyring } = await openKeyring(settings, log, (candidate) => custody.check(candidate));
  const accesses = new RedisAccesses(redis, scripts, keys, keyring, damage);
  const limits = {
    connections: settings.LEASEHOLD_CLUSTER_CONNECTIONS,
    connectTimeoutMs: settings.LEASEHOLD_CLUSTER_CONNECT_TIMEOUT * 1000,
    callTimeoutMs: settings.LEASEHOLD_CLUSTER_CALL_TIMEOUT * 1000,
  };
  const gatewayLinks = new RedisGatewayLinks(redis, keys);
  const relayCa = await watchRelayCa(settings, log);
  const peers = new Peers({
    bearer: () => keyring.derive(PEER_BEARER),
    ca: relayCa && (() => relayCa.current),
    name: settings.LEASEHOLD_RELAY_NAME,
  });
  const relay = new GatewayRelay(gatewayLinks, peers);
  const clusters = new KubernetesClusters(limits, relay, new EgressGuard(settings.LEASEHOLD_ALLOWED_NETWORKS), log);
  const alarm = new BullmqAlarm({ connection: queueRedis, prefix: keys.queuePrefix }, Date.now, (error) =>
    log.warn({ err: error }, 'alarm queue'),
  );
  return {
    keys,
    relay,
    keyring,
    rewrap: () => custody.rewrap(keyring),
    ports: {
      configs: new RedisConfigStore(redis, scripts, keys, accesses, damage),
      leases: new RedisLeaseStore(
        redis,
        scripts,
        keys,
        {
          retentionMs: settings.LEASEHOLD_ENDED_RETENTION * 1000,
          limits: leaseLimitsOf(settings),
        },
        damage,
      ),
      batches: new RedisBatchStore(redis, scripts, keys),
      gateways: new RedisGatewayStore(redis, scripts, keys, damage),
      gatewayLinks,
      renewalNotes: new RedisRenewalNotes(redis, keys),
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
    connectForJobs: () => connections.open('jobs'),
    async close() {
      closeKeyring();
      await alarm.close();
      connections.closeAll();
      await clusters.close();
      peers.close();
      relayCa?.close();
    },
  };
}

async function watchRelayCa(
  { LEASEHOLD_RELAY_CA: path }: Settings,
  log: Logger,
): Promise<WatchedFiles<string> | undefined> {
  return path === undefined
    ? undefined
    : WatchedFiles.open({
        what: 'the CAs of relays',
        paths: [path],
        parse: ([pem = Buffer.of()]) => parsedAt(path, () => parseAnchors(String(pem)).pem),
        log,
      });
}

/** Redis is the only place where records are kept: one that may drop them is refused, or put up with where allowed. */
async function requireDurable(redis: RedisClient, settings: Settings, log: Logger): Promise<void> {
  const problems = await findVolatility(redis);
  if (problems.length > 0 && !settings.LEASEHOLD_ALLOW_VOLATILE_REDIS) {
    throw new Error(
      `Redis may lose the records, which are kept nowhere else; ${problems.join('; ')}. ` +
        'For development, LEASEHOLD_ALLOW_VOLATILE_REDIS=true puts up with it',
    );
  }
  if (problems.length > 0) {
    log.warn({ problems }, 'Redis may lose the records');
  }
  if (settings.LEASEHOLD_REDIS_URL.kind !== 'standalone' && settings.LEASEHOLD_REDIS_REPLICAS === 0) {
    log.warn('a failover of Redis may lose records: LEASEHOLD_REDIS_REPLICAS is 0');
  }
}

async function openScripts(
  redis: RedisClient,
  connections: RedisConnections,
  { LEASEHOLD_REDIS_REPLICAS: replicas }: Settings,
): Promise<ScriptRunner> {
  return replicas === 0 ? new PlainScripts(redis) : new AcknowledgedScripts(await connections.open('calls'), replicas);
}
