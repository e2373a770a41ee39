import { z } from 'zod';
import { anyCase } from './any-case.ts';
import { canonicalServerName } from './domain/host.ts';
import { isEveryAddress, parseHostAndPort, parseListenAddress } from './domain/host-and-port.ts';
import { DNS_LABEL } from './domain/kubernetes-names.ts';
import { AllowedNetworks } from './kubernetes/egress/allowed-networks.ts';
import { LogLevel } from './log-level.ts';
import { parseSettings } from './parse-settings.ts';
import { RedisUrl } from './redis/redis-url.ts';
import { encodedKey } from './sealing/parse-keyring.ts';
import { textField } from './text-field.ts';

/** What becomes a timer must have a lower maximum: those of Node wait for 24.8 days at most, and a longer one for 1 ms. */
const seconds = (what: string, fallback: number, max = 31_536_000, min = 0) =>
  z.coerce.number().positive().min(min).max(max).default(fallback).describe(`${what}, in seconds`);

const flag = (what: string) =>
  anyCase(['true', 'false'])
    .prefault('false')
    .transform((text) => text === 'true')
    .describe(what);

const A_DAY = 86_400;

const pemFile = (what: string) => z.string().min(1).optional().describe(`PEM file ${what}`);

const count = (what: string, fallback: number, max = 10_000) =>
  z.coerce.number().int().min(1).max(max).default(fallback).describe(`${what}; 1 to ${max}`);

/** All settings, as environment variables. The README's table is made of these descriptions. */
export const Settings = z
  .object({
    LEASEHOLD_LISTEN: textField(parseListenAddress)
      .prefault('127.0.0.1:50051')
      .describe(
        'Address and port of the gRPC server; `:50051` is every address. Port 0: a free one, which the log tells',
      ),
    LEASEHOLD_TLS_CERT: pemFile(
      "of the gRPC server's certificate chain, read again where it changes. Required for TLS",
    ),
    LEASEHOLD_TLS_KEY: pemFile('of its private key. Required with `LEASEHOLD_TLS_CERT`'),
    LEASEHOLD_CLIENT_CA: pemFile(
      'of the CAs of client certificates, read again where it changes. Unset: none are asked for',
    ),
    LEASEHOLD_REQUIRE_CLIENT_CERT: flag('Whether every connection must show a client certificate (mTLS)'),
    LEASEHOLD_CALLERS: z
      .string()
      .min(1)
      .optional()
      .describe(
        'The callers file: who may call (see [Callers](#callers)). Read again where it changes. Required of servers',
      ),
    LEASEHOLD_PLAINTEXT: anyCase(['refuse', 'loopback', 'anywhere'])
      .prefault('refuse')
      .describe(
        'Whether a server without `LEASEHOLD_TLS_CERT` may serve in the clear: `loopback`, only at 127.0.0.1 or [::1]; `anywhere`, also with `LEASEHOLD_PLAINTEXT_CONFIRMED`',
      ),
    LEASEHOLD_PLAINTEXT_CONFIRMED: z
      .string()
      .optional()
      .describe('`i-accept-that-tokens-travel-in-the-clear`: the second half of `LEASEHOLD_PLAINTEXT=anywhere`'),
    LEASEHOLD_REDIS_URL: z
      .string()
      .default('redis://127.0.0.1:6379')
      .pipe(RedisUrl)
      .describe(
        'Redis that holds the records and the queue: a server, a Sentinel set or a Cluster (see [Redis](#redis))',
      ),
    LEASEHOLD_REDIS_REPLICAS: z.coerce
      .number()
      .int()
      .min(0)
      .max(100)
      .default(0)
      .describe('Replicas that must have a record before it counts: what a failover keeps (see [Redis](#redis))'),
    LEASEHOLD_REDIS_TIMEOUT: seconds(
      'Deadline of one command to Redis, and of a connection to it, 1.5 to 30: calls fail after it while Redis is silent',
      2,
      30,
      // Replicas are waited for within it.
      1.5,
    ),
    LEASEHOLD_REDIS_HIGH_WATER: z.coerce
      .number()
      .int()
      .min(10)
      .max(95)
      .default(80)
      .describe(
        "Percentage of Redis' memory, 10 to 95, from which on nothing is issued or created, while take-downs go on (see [docs/redis.md](docs/redis.md#the-high-water-mark))",
      ),
    LEASEHOLD_REDIS_MAX_MEMORY: z.coerce
      .number()
      .int()
      .min(16)
      .max(16_777_216)
      .optional()
      .describe(
        'Memory of Redis in MiB, 16 to 16777216, where its own `maxmemory` is unset or higher. Unset: `maxmemory` alone; without either a Redis that fills up is not noticed before it refuses writes',
      ),
    LEASEHOLD_ALLOW_VOLATILE_REDIS: flag(
      'For development: only warn about a Redis that evicts keys or does not log its writes',
    ),
    LEASEHOLD_KEYRING: z
      .string()
      .min(1)
      .optional()
      .describe(
        'YAML or JSON file of the keys that seal cluster tokens in Redis, and can be rotated: `{primary: k2, keys: [{id: k1, key: <32 bytes in base64>}, {id: k2, key: ...}]}`. Read anew when it changes. A new key comes beside the others first, and becomes the primary once all servers and workers have logged it; the old one goes once the worker has logged that nothing is sealed under it. This or `LEASEHOLD_SEAL_KEY` is required',
      ),
    LEASEHOLD_SEAL_KEY: encodedKey
      .optional()
      .describe(
        'A single such key in place of the file: 32 bytes in base64 (`openssl rand -base64 32`). It is the key `env` in a file that takes its place',
      ),
    LEASEHOLD_REWRAP_INTERVAL: seconds(
      'How often what is sealed under an older key of the keyring is brought under the primary',
      60,
      A_DAY,
    ),
    LEASEHOLD_INSTALLATION: z
      .string()
      .regex(DNS_LABEL)
      .default('default')
      .describe('Name that tells this Leasehold from others on the same cluster or Redis: a DNS label'),
    LEASEHOLD_ALLOWED_NETWORKS: AllowedNetworks.describe(
      'Loopback and private networks in which clusters, and the issuers and keys of the callers file, may be called, in CIDR notation with commas between. Link-local addresses and metadata services never are. Unset: public addresses only. The same for server and worker: where that may not call it takes nothing down',
    ),
    LEASEHOLD_CLUSTER_CONNECTIONS: count(
      'Calls to each cluster at the same time, shared fairly by purpose, caller and config',
      32,
    ),
    LEASEHOLD_CLUSTER_CONNECT_TIMEOUT: seconds('Deadline for TCP and TLS to a cluster', 3, 60),
    LEASEHOLD_CLUSTER_CALL_TIMEOUT: seconds('Deadline for one call to a cluster', 10, 60),
    LEASEHOLD_WORKER_CONCURRENCY: count(
      'Leases that one worker takes down at the same time; with fewer than 8, one config can hold all that its cluster may',
      128,
    ),
    LEASEHOLD_RETRY_INITIAL: seconds('First wait before a failed take-down is tried again; it doubles', 1),
    LEASEHOLD_RETRY_MAX: seconds('Longest wait between tries, which go on until done', 300),
    LEASEHOLD_STALLED_AFTER: count('After so many failed tries a lease is shown as stalled; it is still retried', 10),
    LEASEHOLD_SETTLE_TIME: seconds(
      'How long a call whose outcome is unknown may still take effect: longer than the `--request-timeout` of the API servers',
      70,
    ),
    LEASEHOLD_SWEEP_INTERVAL: seconds(
      'How often alarms are set for what is due soon, and set anew for what is overdue; the same for server and worker',
      30,
      A_DAY,
    ),
    LEASEHOLD_READ_BACK_INTERVAL: seconds('How often the clusters are read back to find orphans', 900, A_DAY),
    LEASEHOLD_TOKEN_RENEWAL_INTERVAL: seconds(
      'How often the cluster tokens of configs are looked at: those with `renew_token` are renewed when a third of their life is left, of others that expire the log warns',
      30,
      A_DAY,
    ),
    LEASEHOLD_ENDED_RETENTION: seconds(
      'How long ended leases are kept in the store; the same for server and worker',
      2_592_000,
    ),
    LEASEHOLD_MAX_ENDED_LEASES_PER_PRINCIPAL: count(
      'Ended leases kept of one caller; for one more, the one of that caller that ended first is forgotten. By the setting of the process that ends the lease: the same for server and worker',
      10_000,
      10_000_000,
    ),
    LEASEHOLD_MAX_ENDED_LEASES: count(
      'Ended leases kept of all callers; beyond it a caller whose lease ends keeps its latest 100. The same for server and worker',
      1_000_000,
      100_000_000,
    ),
    LEASEHOLD_MAX_LEASES_PER_CONFIG: count('Leases that live at the same time on one config', 100_000, 10_000_000),
    LEASEHOLD_MAX_LEASES_PER_PRINCIPAL: count('Leases that live at the same time of one caller', 10_000, 10_000_000),
    LEASEHOLD_MAX_CONFIGS_PER_PRINCIPAL: count('Configs that one caller has created', 1_000, 1_000_000),
    LEASEHOLD_MAX_GATEWAYS_PER_PRINCIPAL: count('Gateways that one caller has created', 200, 1_000_000),
    LEASEHOLD_ISSUE_RATE: count(
      'Issues and renewals of one caller in a second, at all servers together; as many may come at once',
      1_000,
      1_000_000,
    ),
    LEASEHOLD_QUESTION_RATE: count(
      'Questions to clusters, for checks and trials of configs, of one caller in a second, at all servers together; as many, and at least 1,000, may come at once: a check of the largest config asks 769',
      100,
      1_000_000,
    ),
    LEASEHOLD_TRIAL_RATE: count(
      'Trials of one caller in a minute, at all servers together: each create, change or check that calls a cluster with what the caller wrote. As many may come at once',
      300,
      1_000_000,
    ),
    LEASEHOLD_MAX_CALLS_PER_PRINCIPAL: count('Calls of one caller at the same time, at each server', 256),
    LEASEHOLD_MAX_UNAUTHENTICATED_CONNECTIONS: count(
      'Connections without an authenticated call yet, at each server and each relay, half of them from one network (an IPv4 address, an IPv6 /64); beyond, the oldest are closed. Each has 8 streams of up to 32 KiB of headers',
      400,
      100_000,
    ),
    LEASEHOLD_CALL_TIMEOUT: seconds('Longest that a call may take that is no stream', 120, 3_600),
    LEASEHOLD_SLOW_CALLER_TIMEOUT: seconds(
      'After so long without taking a message, or without sending its request to the end, a caller loses the call',
      30,
      3_600,
    ),
    LEASEHOLD_MAX_CONNECTION_AGE: seconds(
      'Age at which a connection takes no more calls, and its client connects anew; calls on it go on',
      1_800,
      A_DAY,
    ),
    LEASEHOLD_DRAIN_TIMEOUT: seconds('How long a stopping process waits for the calls and jobs under way', 20, A_DAY),
    LEASEHOLD_RELAY_LISTEN: textField(parseListenAddress)
      .optional()
      .describe('Address and port to which gateways and other servers connect, with TLS. Unset: no gateways'),
    LEASEHOLD_RELAY_CERT: pemFile(
      'of the certificate chain that the relay shows. Required with `LEASEHOLD_RELAY_LISTEN`',
    ),
    LEASEHOLD_RELAY_KEY: pemFile('of its private key. Required with `LEASEHOLD_RELAY_LISTEN`'),
    LEASEHOLD_RELAY_ADDRESS: textField(parseHostAndPort)
      .optional()
      .describe(
        '`host:port` at which other servers and workers reach the relay of this one. Unset: where it listens; required where that is every address (0.0.0.0 or [::])',
      ),
    LEASEHOLD_RELAY_CA: pemFile(
      "of the CAs by which servers and workers verify each other's relays. Unset: those that Node trusts",
    ),
    LEASEHOLD_RELAY_NAME: textField(canonicalServerName)
      .optional()
      .describe(
        "Name that they expect in each other's certificates. Unset: the host of `LEASEHOLD_RELAY_ADDRESS`. This or `LEASEHOLD_RELAY_CA` is required, of workers too",
      ),
    LEASEHOLD_POLICIES: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Folder of the Cedar policies that say who may do what (see [docs/policies.md](docs/policies.md)); its changes are followed. Unset: those that Leasehold comes with',
      ),
    LEASEHOLD_LOG_LEVEL: LogLevel.describe('Minimum log level'),
  })
  .refine(({ LEASEHOLD_KEYRING, LEASEHOLD_SEAL_KEY }) => !LEASEHOLD_KEYRING !== !LEASEHOLD_SEAL_KEY, {
    path: ['LEASEHOLD_KEYRING'],
    message: 'or LEASEHOLD_SEAL_KEY must be set, and not both: the keys that seal cluster tokens in Redis',
  })
  .refine(
    ({ LEASEHOLD_TLS_CERT, LEASEHOLD_TLS_KEY }) =>
      (LEASEHOLD_TLS_CERT === undefined) === (LEASEHOLD_TLS_KEY === undefined),
    { path: ['LEASEHOLD_TLS_CERT'], message: 'and LEASEHOLD_TLS_KEY go together' },
  )
  .refine(({ LEASEHOLD_TLS_CERT, LEASEHOLD_CLIENT_CA }) => LEASEHOLD_TLS_CERT || !LEASEHOLD_CLIENT_CA, {
    path: ['LEASEHOLD_CLIENT_CA'],
    message: 'needs LEASEHOLD_TLS_CERT',
  })
  .refine(
    ({ LEASEHOLD_CLIENT_CA, LEASEHOLD_REQUIRE_CLIENT_CERT }) => LEASEHOLD_CLIENT_CA || !LEASEHOLD_REQUIRE_CLIENT_CERT,
    { path: ['LEASEHOLD_REQUIRE_CLIENT_CERT'], message: 'needs LEASEHOLD_CLIENT_CA' },
  )
  .refine(({ LEASEHOLD_TLS_CERT, LEASEHOLD_PLAINTEXT }) => !LEASEHOLD_TLS_CERT || LEASEHOLD_PLAINTEXT === 'refuse', {
    path: ['LEASEHOLD_PLAINTEXT'],
    message: 'contradicts LEASEHOLD_TLS_CERT: a server speaks either',
  })
  .refine(
    (settings) => !settings.LEASEHOLD_RELAY_LISTEN || (settings.LEASEHOLD_RELAY_CERT && settings.LEASEHOLD_RELAY_KEY),
    {
      path: ['LEASEHOLD_RELAY_LISTEN'],
      message: 'needs LEASEHOLD_RELAY_CERT and LEASEHOLD_RELAY_KEY',
    },
  )
  .refine(
    ({ LEASEHOLD_RELAY_LISTEN, LEASEHOLD_RELAY_CA, LEASEHOLD_RELAY_NAME }) =>
      !LEASEHOLD_RELAY_LISTEN || LEASEHOLD_RELAY_CA || LEASEHOLD_RELAY_NAME,
    {
      path: ['LEASEHOLD_RELAY_NAME'],
      message:
        'or LEASEHOLD_RELAY_CA is needed: where others listen comes from Redis, and a public CA vouches for anybody',
    },
  )
  .refine(
    ({ LEASEHOLD_RELAY_LISTEN: listen = '', LEASEHOLD_RELAY_ADDRESS }) =>
      LEASEHOLD_RELAY_ADDRESS || !isEveryAddress(listen),
    {
      path: ['LEASEHOLD_RELAY_ADDRESS'],
      message: 'is needed with this LEASEHOLD_RELAY_LISTEN: others would dial themselves at it',
    },
  );

export type Settings = z.infer<typeof Settings>;

/** Reads the settings. Throws an Error that names each wrong variable. */
export const readSettings = (environment: NodeJS.ProcessEnv): Settings => parseSettings(Settings, environment);
