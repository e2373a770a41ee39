import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { trustIn } from '../domain/trust.ts';
import { explainStart } from './explain-start.ts';
import type { RedisAddress } from './redis-url.ts';

export type RedisClient = Redis | Cluster;

/** What a connection is for: a call that waits for its answer, or the worker's waiting for jobs. */
export type RedisUse = 'calls' | 'queue' | 'jobs';

/** Longer than BullMQ's longest wait for a job, 10 s: a server that is silent for so long is not there any more. */
const JOBS_SILENCE_MS = 15_000;

/** So long a connection may take at the start, and longer where a single command may. */
const START_TIMEOUT_MS = 10_000;
const BEYOND_COMMAND_MS = 1_000;
const MAX_RECONNECT_DELAY_MS = 1_000;

/** How often a connection to a single Redis that turned out to be read-only is made anew. */
const LOOK_FOR_MASTER_EVERY_MS = 5_000;

/** How often the owners of a Cluster's slots are read, besides when a node says that they are wrong. */
const SLOTS_REFRESH_MS = 2_000;

/** Losses of connections, of nodes of a Cluster, and of Sentinels. */
const ERROR_EVENTS = ['error', 'node error', 'sentinelError'];

const NO_SUCH_DATABASE = /DB index/;

/** Of what goes wrong while a connection is made, so much is kept to explain it. */
const MAX_HEARD = 4;

/** Opens connections to one Redis, be it a server, a Sentinel set or a Cluster, and closes them together. */
export class RedisConnections {
  readonly #address: RedisAddress;
  readonly #timeoutMs: number;
  readonly #onError: (error: Error) => void;
  readonly #open: RedisClient[] = [];

  /**
   * A command that takes longer than `timeoutMs` fails: a caller is better told than kept. `onError` hears of losses too,
   * which are repaired by themselves.
   */
  constructor(address: RedisAddress, timeoutMs: number, onError: (error: Error) => void) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
    this.#onError = onError;
  }

  /**
   * A connection that comes back by itself after a restart or failover. Meanwhile its commands fail fast, except those
   * for `jobs`, which wait. Rejects where Redis does not answer now, with what to do.
   */
  async open(use: RedisUse): Promise<RedisClient> {
    const client = createClient(this.#address, use, this.#timeoutMs);
    this.#open.push(client);
    const heard: Error[] = [];
    const hear = (error: Error) => void (heard.push(error) > MAX_HEARD && heard.shift());
    for (const event of ERROR_EVENTS) {
      client.on(event, hear);
    }
    try {
      await Promise.race([ready(client), tooLate(startTimeoutMs(this.#timeoutMs))]);
      // ioredis would go on with database 0.
      throwIf(heard.find(({ message }) => NO_SUCH_DATABASE.test(message)));
    } catch (error) {
      client.on('error', () => undefined).disconnect();
      throw explainStart(this.#address, error as Error, heard);
    }
    for (const event of ERROR_EVENTS) {
      client.off(event, hear).on(event, this.#onError);
    }
    return client;
  }

  closeAll(): void {
    for (const client of this.#open.splice(0)) {
      client.disconnect();
    }
  }
}

function throwIf(error: Error | undefined): void {
  if (error) {
    throw error;
  }
}

/** A Cluster opens its connections when they are first needed, and commands that come meanwhile would fail. */
async function ready(client: RedisClient): Promise<void> {
  await client.connect();
  if (client instanceof Cluster) {
    await Promise.all(client.nodes('master').map((node) => node.ping()));
  }
}

/** Where no Sentinel answers, or none knows the master, ioredis would ask them for ever. */
async function tooLate(afterMs: number): Promise<never> {
  await sleep(afterMs, undefined, { ref: false });
  throw new Error(`Redis could not be reached within ${afterMs / 1000} s`);
}

/** How long to wait for a Redis at the start, where a command may take `timeoutMs`. */
export function startTimeoutMs(timeoutMs: number): number {
  return Math.max(START_TIMEOUT_MS, timeoutMs + BEYOND_COMMAND_MS);
}

function createClient(address: RedisAddress, use: RedisUse, timeoutMs: number): RedisClient {
  const options = optionsFor(address, use, timeoutMs);
  switch (address.kind) {
    case 'standalone':
      return new Redis({ ...options, ...address.node, db: address.database });
    case 'sentinel':
      return new Redis({
        ...options,
        db: address.database,
        sentinels: address.sentinels,
        name: address.master,
        sentinelUsername: address.sentinelLogin.username,
        sentinelPassword: address.sentinelLogin.password?.reveal(),
        sentinelRetryStrategy: reconnectDelay,
        sentinelCommandTimeout: timeoutMs,
        ...(address.tls ? { sentinelTLS: trustIn(undefined), enableTLSForSentinelMode: true } : {}),
      });
    case 'cluster':
      return new Cluster(address.nodes, clusterOptions(options, use));
  }
}

function optionsFor(address: RedisAddress, use: RedisUse, timeoutMs: number) {
  return {
    username: address.username,
    password: address.password?.reveal(),
    ...(address.tls ? { tls: trustIn(undefined) } : {}),
    lazyConnect: true,
    connectTimeout: timeoutMs,
    retryStrategy: reconnectDelay,
    reconnectOnError: lookForMaster(address),
    // A host that vanished closes no connection, and must not be waited for.
    ...(use === 'jobs'
      ? { maxRetriesPerRequest: null, enableOfflineQueue: true, socketTimeout: JOBS_SILENCE_MS }
      : {
          maxRetriesPerRequest: 0,
          enableOfflineQueue: false,
          commandTimeout: timeoutMs,
          socketTimeout: timeoutMs,
        }),
    // BullMQ hangs its hundred scripts on its connection, and each automatic pipeline would copy them.
    enableAutoPipelining: use === 'calls',
  } satisfies RedisOptions;
}

/**
 * What was a master became a replica: the new one has to be looked for. Where nobody says where that is, a name may lead to it
 * by now; a replica that stays at its place must go on to be read, so it is left seldom.
 */
function lookForMaster({ kind }: RedisAddress): (error: Error) => boolean {
  const everyMs = kind === 'standalone' ? LOOK_FOR_MASTER_EVERY_MS : 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  return ({ message }) => {
    const looks = message.includes('READONLY') && performance.now() - lookedAt >= everyMs;
    if (looks) {
      lookedAt = performance.now();
    }
    return looks;
  };
}

function clusterOptions(options: ReturnType<typeof optionsFor>, use: RedisUse) {
  // The pool of a Cluster decides itself when it connects to a node, and which commands wait for that.
  const { lazyConnect, retryStrategy, enableOfflineQueue, enableAutoPipelining: _, ...redisOptions } = options;
  return {
    redisOptions,
    lazyConnect,
    enableOfflineQueue,
    clusterRetryStrategy: retryStrategy,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    // A command on a connection that broke may have been run: to run it again is not the client's to decide.
    ...(use === 'jobs' ? {} : { retryDelayOnFailover: 0 }),
    // ioredis would put addresses in the place of names, and no certificate would match.
    dnsLookup: (host, callback) => callback(null, host),
  } satisfies ClusterOptions;
}

function reconnectDelay(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt - 1, 10), MAX_RECONNECT_DELAY_MS);
}
