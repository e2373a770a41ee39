import { RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { freePort } from '../servers/free-port.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { cert } from '../support/answering-server.ts';
import { eventually } from '../support/eventually.ts';
import { connectTo, type LeaseholdClient, leaseholdEnvironment } from '../support/leasehold.ts';
import { type LeaseholdProcess, spawnLeasehold } from '../support/leasehold-process.ts';
import { seconds } from '../support/set-ups.ts';
import { writeRelayCertificate } from '../support/transports/relay-certificate.ts';
import { startObligingCluster } from './obliging-cluster.ts';

/** Of the server's process, in bytes, after garbage was collected. */
export interface Memory {
  rss: number;
  heapUsed: number;
  external: number;
}

/** A server and a worker as processes, a cluster that does what they ask, and things that requests can be about. */
export interface FuzzedSite extends AsyncDisposable {
  server: LeaseholdProcess;
  address: string;
  relayAddress: string;
  relayCa: string;
  clusterUrl: string;
  environment: Record<string, string>;
  client: LeaseholdClient;
  memory(): Promise<Memory>;
  /** Makes what is not there (any more), and returns the ids of leases that live. */
  furnish(): Promise<string[]>;
}

export const CONFIG = 'fuzzed';
export const GATEWAY = 'fuzzed';
const LASTING_CONFIG = 'lasting';
const LASTING_LEASES = 10;

export async function openFuzzedSite(redisUrl: string): Promise<FuzzedSite> {
  await using opened = new AsyncDisposableStack();
  const cluster = await startObligingCluster();
  opened.defer(() => cluster.stop());
  const folder = await makeTempFolder('fuzz');
  opened.defer(() => folder.remove());
  const certificate = await writeRelayCertificate(folder.path);
  const relayAddress = `127.0.0.1:${await freePort()}`;
  const environment = leaseholdEnvironment(redisUrl, {
    ...certificate.ofServers,
    LEASEHOLD_RELAY_LISTEN: relayAddress,
    // One line a call would cost as much as the call. What is logged as an error fails the run.
    LEASEHOLD_LOG_LEVEL: 'warn',
    // So that calls end in all ways: many are let through, and some reach a limit.
    LEASEHOLD_MAX_CALLS_PER_PRINCIPAL: '1000',
    LEASEHOLD_MAX_LEASES_PER_CONFIG: '200',
    // What is furnished comes from the same caller.
    LEASEHOLD_QUESTION_RATE: '1000000',
    LEASEHOLD_TRIAL_RATE: '1000000',
    LEASEHOLD_MAX_CONFIGS_PER_PRINCIPAL: '1000000',
    LEASEHOLD_MAX_GATEWAYS_PER_PRINCIPAL: '1000000',
    LEASEHOLD_ENDED_RETENTION: '1',
    // Whatever else a mutated URL leads to is given up soon.
    LEASEHOLD_CLUSTER_CONNECT_TIMEOUT: '0.5',
    LEASEHOLD_CLUSTER_CALL_TIMEOUT: '1',
  });
  const server = spawnLeasehold('server', environment, { entry: new URL('./server-main.ts', import.meta.url) });
  opened.defer(async () => void (await server.stop()));
  const { address = '' } = await server.logged('ready to be fuzzed');
  const worker = spawnLeasehold('worker', environment);
  opened.defer(async () => void (await worker.stop()));
  const client = connectTo(address);
  opened.defer(() => client.close());
  const running = opened.move();
  return {
    server,
    address,
    relayAddress,
    relayCa: certificate.caPem,
    clusterUrl: cluster.url,
    environment,
    client,
    async memory() {
      const told = () => server.logs.filter(({ msg }) => msg === 'memory');
      const before = told().length;
      server.kill('SIGUSR2');
      return eventually(async () => {
        const latest = told()[before];
        if (!latest) {
          throw new Error('the server has not told its memory');
        }
        return latest as unknown as Memory;
      });
    },
    // Spoilt requests may have made the cluster rest for a while.
    furnish: () => eventually(() => furnish(client, cluster.url)),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function furnish({ configs, gateways, leases }: LeaseholdClient, url: string): Promise<string[]> {
  const access = { $case: 'direct', value: { url, tls: { caPem: cert }, token: 'token' } } as const;
  const ttls = { defaultTtl: seconds(900), maxTtl: seconds(3600) };
  const dynamic = { allowedNamespaces: ['one', 'two'], role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: 'view' } };
  await unlessThere(
    configs.createConfig({
      config: { name: CONFIG, ...ttls, access, credential: { $case: 'dynamic', value: dynamic } },
    }),
  );
  const lasting = { namespace: 'one', serviceAccount: 'reader' };
  await unlessThere(
    configs.createConfig({
      config: { name: LASTING_CONFIG, ...ttls, access, credential: { $case: 'static', value: lasting } },
    }),
  );
  await unlessThere(gateways.createGateway({ name: GATEWAY }));
  const live = await leases.listLeases({
    config: LASTING_CONFIG,
    states: [LeaseState.LEASE_STATE_ACTIVE],
    pageSize: LASTING_LEASES,
  });
  const ids = live.leases.map(({ id }) => id);
  while (ids.length < LASTING_LEASES) {
    ids.push((await leases.issueLease({ config: LASTING_CONFIG })).lease?.id ?? '');
  }
  return ids;
}

async function unlessThere(creating: Promise<unknown>): Promise<void> {
  await creating.catch((error: unknown) => {
    if (!String(error).includes('ALREADY_EXISTS')) {
      throw error;
    }
  });
}
