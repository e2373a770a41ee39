import { setTimeout as sleep } from 'node:timers/promises';
import type { BackendFactory, RedisQueueBackend } from 'bullmq';
import { parseAnchors } from './domain/certificates.ts';
import { parsedAt } from './domain/malformed.ts';
import { EgressGuard } from './kubernetes/egress/egress-guard.ts';
import { KubernetesClusters } from './kubernetes/kubernetes-clusters.ts';
import { openKeyring } from './open-keyring.ts';
import { openMemoryRoom } from './open-memory-room.ts';
import { callRatesOf, leaseLimitsOf, policyOf, quotasOf } from './policy.ts';
import type { Ports } from './ports/ports.ts';
import { warnOfProxies } from './proxy-environment.ts';
import { BullmqAlarm } from './queue/bullmq-alarm.ts';
import { queueBackend } from './queue/queue-backend.ts';
import { AcknowledgedScripts } from './redis/acknowledged-scripts.ts';
import { findVolatility } from './redis/check-durability.ts';
import { findMissingPermissions } from './redis/check-permissions.ts';
import { type RedisClient, RedisConnections } from './redis/connect-redis.ts';
import { DamageReports } from './redis/damage-reports.ts';
import { explainStart } from './redis/explain-start.ts';
import { KeyCustody, type Rewrapping } from './redis/key-custody.ts';
import { Keys } from './redis/keys.ts';
import type { MemoryRoom } from './redis/memory-room.ts';
import { RedisAccesses } from './redis/redis-accesses.ts';
import { RedisBatchStore } from './redis/redis-batch-store.ts';
import { RedisCallBudgets } from './redis/redis-call-budgets.ts';
import { askTime, RedisClock } from './redis/redis-clock.ts';
import { RedisConfigStore } from './redis/redis-config-store.ts';
import { RedisGatewayLinks } from './redis/redis-gateway-links.ts';
import { RedisGatewayStore } from './redis/redis-gateway-store.ts';
import { RedisLeaseStore } from './redis/redis-lease-store.ts';
import { RedisRenewalNotes } from './redis/redis-renewal-notes.ts';
import { refuseGrowth } from './redis/refuse-growth.ts';
import { HeardScripts, PlainScripts, type ScriptRunner } from './redis/script-runner.ts';
import { isStoreError } from './redis/store-call.ts';
import { WriteGate } from './redis/write-gate.ts';
import { GatewayRelay } from './relay/gateway-relay.ts';
import { Peers } from './relay/peers.ts';
import type { Keyring } from './sealing/keyring.ts';
import type { Settings } from './settings.ts';
import type { Logger } from './telemetry/logger.ts';
import { countStoreRefused, recordClockOffset } from './telemetry/metrics.ts';
import { withoutRepeats } from './telemetry/without-repeats.ts';
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
  /**
   * For a process that takes new things in: its ports, but what makes the store grow is refused from the high-water
   * mark of Redis' memory on. Redis is watched for that until the runtime closes.
   */
  portsBelowHighWater(): Promise<Ports>;
  /** Whether Redis takes writes now. */
  gate: WriteGate;
  /** BullMQ's way to Redis, for queues and their workers. */
  queueBackend: BackendFactory<RedisQueueBackend>;
  /** Tells of trouble with Redis, once in a while where it is the same again and again. */
  onStoreError(error: Error): void;
  /** A connection to wait at for jobs. It outlasts an outage of Redis, and is closed with the others. */
  connectForJobs(): Promise<RedisClient>;
  close(): Promise<void>;
}

/** How long what is written to see whether Redis takes writes is kept. */
const PROBE_KEPT_MS = 1_000;

/** What processes of one installation show each other: derived for this from a key that all have. */
export const PEER_BEARER = 'leasehold/forward/v1';

/** Wires server or worker: the one place that knows both the ports and their adapters. */
export async function createRuntime(settings: Settings, log: Logger): Promise<Runtime> {
  warnOfProxies(process.env, log);
  const onStoreError = tellOf(log);
  const connections = new RedisConnections(
    settings.LEASEHOLD_REDIS_URL,
    settings.LEASEHOLD_REDIS_TIMEOUT * 1000,
    onStoreError,
  );
  try {
    return await wire(settings, log, connections, onStoreError);
  } catch (error) {
    connections.closeAll();
    throw isStoreError(error) ? explainStart(settings.LEASEHOLD_REDIS_URL, error) : error;
  }
}

async function wire(
  settings: Settings,
  log: Logger,
  connections: RedisConnections,
  tellOfTrouble: (error: Error) => void,
): Promise<Runtime> {
  const redis = await connections.open('calls');
  const keys = new Keys(settings.LEASEHOLD_INSTALLATION);
  await requireDurable(redis, settings, log);
  await requirePermissions(redis, keys, settings);
  const clock = await openClock(redis, keys, settings, log);
  const gate = openGate(redis, keys, log);
  const hear = (error: unknown) => void gate.heard(error);
  const onStoreError = (error: Error) => void (gate.heard(error) || tellOfTrouble(error));
  const scripts = new HeardScripts(await openScripts(redis, connections, settings), hear);
  const queueRedis = await connections.open('queue');

  const damage = new DamageReports((error) => log.error({ err: error }, 'a record in Redis is damaged'));
  const custody = new KeyCustody(redis, scripts, keys, damage);
  const { keyring, close: closeKeyring } = await openKeyring(settings, log, (candidate) => custody.check(candidate));
  const quotas = quotasOf(settings);
  const accesses = new RedisAccesses(redis, scripts, keys, keyring, damage, quotas);
  const limits = {
    connections: settings.LEASEHOLD_CLUSTER_CONNECTIONS,
    connectTimeoutMs: settings.LEASEHOLD_CLUSTER_CONNECT_TIMEOUT * 1000,
    callTimeoutMs: settings.LEASEHOLD_CLUSTER_CALL_TIMEOUT * 1000,
  };
  const gatewayLinks = new RedisGatewayLinks(redis, new HeardScripts(new PlainScripts(redis), hear), keys, quotas);
  const relayCa = await watchRelayCa(settings, log);
  const peers = new Peers({
    bearer: () => keyring.derive(PEER_BEARER),
    ca: relayCa && (() => relayCa.current),
    name: settings.LEASEHOLD_RELAY_NAME,
  });
  const relay = new GatewayRelay(gatewayLinks, peers);
  const clusters = new KubernetesClusters(
    limits,
    relay,
    new EgressGuard(settings.LEASEHOLD_ALLOWED_NETWORKS),
    log,
    () => clock.now(),
  );
  const backend = queueBackend({ ownAheadMs: () => clock.ownAheadMs, gate, onError: onStoreError });
  const alarm = new BullmqAlarm(
    { connection: queueRedis, prefix: keys.queuePrefix, backend },
    () => clock.now(),
    onStoreError,
  );
  const ports: Ports = {
    configs: new RedisConfigStore(redis, scripts, keys, accesses, damage, quotas),
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
    batches: new RedisBatchStore(redis, scripts, keys, quotas),
    callBudgets: new RedisCallBudgets(new HeardScripts(new PlainScripts(redis), hear), keys, callRatesOf(settings)),
    gateways: new RedisGatewayStore(redis, scripts, keys, damage, quotas),
    gatewayLinks,
    renewalNotes: new RedisRenewalNotes(redis, keys),
    alarm,
    clusters,
    log,
    clock: {
      now: () => clock.now(),
      sleep: async (ms, signal) => void (await sleep(ms, undefined, signal ? { signal } : {})),
    },
    random: Math.random,
    policy: policyOf(settings),
    installation: settings.LEASEHOLD_INSTALLATION,
  };
  let room: MemoryRoom | undefined;
  return {
    keys,
    relay,
    keyring,
    gate,
    queueBackend: backend,
    onStoreError,
    rewrap: () => custody.rewrap(keyring),
    ports,
    async portsBelowHighWater() {
      room = await openMemoryRoom(redis, keys, settings, log);
      return refuseGrowth(ports, room);
    },
    connectForJobs: () => connections.open('jobs'),
    async close() {
      closeKeyring();
      gate.close();
      room?.close();
      clock.close();
      await alarm.close();
      connections.closeAll();
      await clusters.close();
      peers.close();
      relayCa?.close();
    },
  };
}

function tellOf(log: Logger): (error: Error) => void {
  return withoutRepeats((error, repeats) => log.warn({ err: error, repeats }, 'trouble with Redis'));
}

function openGate(redis: RedisClient, keys: Keys, log: Logger): WriteGate {
  return new WriteGate({
    probe: () => redis.set(keys.writeProbe, '', 'PX', PROBE_KEPT_MS),
    onRefused: ({ code, why, advice }) =>
      log.error(
        { code },
        `Redis refuses writes: ${why}. Reading goes on; leases that are due, and all other work, wait until it takes them again: ${advice}`,
      ),
    onAccepted: ({ code }) => log.info({ code }, 'Redis takes writes again: what waited goes on'),
    count: countStoreRefused,
  });
}

/** Ends are judged by the time of Redis, which all processes share. */
function openClock(redis: RedisClient, keys: Keys, { LEASEHOLD_REDIS_URL: url }: Settings, log: Logger) {
  const scripts = new PlainScripts(redis);
  const onError = withoutRepeats((error, repeats) =>
    log.warn({ err: error, repeats }, "Redis did not tell its time; this process's monotonic clock goes on"),
  );
  return RedisClock.open({
    ask: () => askTime(scripts, keys),
    onMeasured: (aheadMs) => recordClockOffset(aheadMs, 'process'),
    onOwnOff: (aheadMs) =>
      log.warn(
        { aheadSeconds: Math.round(aheadMs / 1000) },
        `the clock of this machine is ${inWords(aheadMs)} that of Redis. Leases end by the clock of Redis, so none is affected; callers' tokens and certificates are judged by this one. Check NTP here and at Redis`,
      ),
    onOwnRight: () => log.info('the clock of this machine is right again'),
    onJump: (byMs) =>
      log.warn(
        { bySeconds: Math.round(byMs / 1000), redis: url.kind },
        `the clock of Redis jumped ${byMs > 0 ? 'forward' : 'back'} by ${Math.round(Math.abs(byMs) / 1000)} s, by itself or because another Redis took over: leases end by it from now on`,
      ),
    onError,
  });
}

function inWords(aheadMs: number): string {
  return `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
}

async function watchRelayCa(
  { LEASEHOLD_RELAY_CA: path }: Settings,
  log: Logger,
): Promise<WatchedFiles<string> | undefined> {
  return path === undefined
    ? undefined
    : WatchedFiles.open({
        what: 'the CAs of relays',
        setting: 'LEASEHOLD_RELAY_CA',
        paths: [path],
        parse: ([pem = Buffer.of()]) => parsedAt(path, () => parseAnchors(String(pem)).pem),
        log,
      });
}

/** Missing ones would be noticed when they are first needed, in the midst of something. */
async function requirePermissions(
  redis: RedisClient,
  keys: Keys,
  { LEASEHOLD_REDIS_REPLICAS: replicas }: Settings,
): Promise<void> {
  const missing = await findMissingPermissions(redis, keys, { replicas });
  if (missing.length > 0) {
    throw new Error(
      `LEASEHOLD_REDIS_URL: its user lacks permissions in Redis: ${missing.join(', ')}, on keys ${keys.pattern}. ` +
        'docs/redis.md has the whole rule for ACL SETUSER',
    );
  }
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
