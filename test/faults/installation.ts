import { v7 as uuidv7 } from 'uuid';
import { startServer } from '../../src/server/start-server.ts';
import type { Config } from '../../src/shared/domain/config.ts';
import type { Lease } from '../../src/shared/domain/lease.ts';
import { findConfig } from '../../src/shared/leases/find-config.ts';
import { issueLease } from '../../src/shared/leases/issue.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { createRuntime } from '../../src/shared/runtime.ts';
import { readSettings } from '../../src/shared/settings.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { startWorker } from '../../src/worker/start-worker.ts';
import { eventually } from '../support/eventually.ts';
import { connectTo, type LeaseholdClient, leaseholdEnvironment } from '../support/leasehold.ts';
import { type LeaseholdProcess, spawnLeasehold } from '../support/leasehold-process.ts';
import { SHORT_TIMES } from './patience.ts';
import type { Site } from './site.ts';

export const DYNAMIC = 'dynamic';
export const STATIC = 'static';

const ENTRIES = {
  server: new URL('./server-main.ts', import.meta.url),
  worker: new URL('./worker-main.ts', import.meta.url),
};

/** A token that somebody holds: its lease, and the end that he was told. */
export interface HandedOut {
  id: string;
  expireTime: number;
}

/** One Leasehold of its own on the site, with a dynamic and a revocable static config, and eyes on its records. */
export interface Installation extends AsyncDisposable {
  site: Site;
  name: string;
  ports: Ports;
  handedOut: HandedOut[];
  /** By how much the ends of leases were moved near (near-ends.ts). */
  movedBy: Map<string, number>;
  /** Issues a dynamic lease beside the processes that faults are for. */
  issue(ttlSeconds: number): Promise<Lease>;
  /** A process that may have a fault point, with further settings. */
  spawn(role: 'server' | 'worker', environment?: Record<string, string>): LeaseholdProcess;
  /** A client of a spawned server. */
  clientOf(server: LeaseholdProcess): Promise<LeaseholdClient>;
  /** A healthy server, and a client of it. */
  startServer(): Promise<LeaseholdClient>;
  /** A healthy worker. */
  startWorker(): Promise<void>;
}

export async function openInstallation(site: Site, overrides: Record<string, string> = {}): Promise<Installation> {
  await using opened = new AsyncDisposableStack();
  const environment = { ...leaseholdEnvironment(site.redisUrl, SHORT_TIMES), ...overrides };
  const settings = readSettings(environment);
  const log = createLogger('faults', 'silent');
  const runtime = await createRuntime(settings, log);
  opened.defer(() => runtime.close());
  const { ports } = runtime;
  await storeConfigs(ports, site);
  const handedOut: HandedOut[] = [];
  const running = opened.move();

  const clientOf = (address: string) => {
    const client = connectTo(address);
    running.defer(() => client.close());
    return client;
  };
  return {
    site,
    name: settings.LEASEHOLD_INSTALLATION,
    ports,
    handedOut,
    movedBy: new Map(),
    async issue(ttlSeconds) {
      const request = { config: DYNAMIC, ttlSeconds, audiences: [], principal: 'caller' };
      // A cluster that is busy with other faults may not answer in time.
      const { lease } = await eventually(async () => issueLease(ports, await findConfig(ports, DYNAMIC), request));
      handedOut.push({ id: lease.id, expireTime: lease.expireTime });
      return lease;
    },
    spawn(role, further = {}) {
      const child = spawnLeasehold(role, { ...environment, ...further }, { entry: ENTRIES[role] });
      running.defer(async () => {
        child.kill('SIGKILL');
        await child.exited;
      });
      return child;
    },
    async clientOf(server) {
      return clientOf((await server.logged('serving')).address ?? '');
    },
    async startServer() {
      const server = await startServer(settings, log);
      running.defer(() => server.stop());
      return clientOf(server.address);
    },
    async startWorker() {
      const worker = await startWorker(settings, log);
      running.defer(() => worker.stop());
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Without the trials of CreateConfig, which would pass the fault points before the journey does. */
async function storeConfigs(ports: Ports, { namespace, serviceAccount, role, access }: Site): Promise<void> {
  const now = Date.now();
  const common = {
    version: 1,
    defaultTtlSeconds: 60,
    maxTtlSeconds: 3600,
    audiences: [],
    labels: {},
    createTime: now,
    updateTime: now,
  };
  const dynamic: Config['credential'] = {
    kind: 'dynamic',
    allowedNamespaces: [namespace],
    role: { kind: 'ClusterRole', name: role },
    bindingScope: 'namespace',
  };
  const revocable: Config['credential'] = { kind: 'static', namespace, serviceAccount, revocable: true };
  for (const [name, credential] of [
    [DYNAMIC, dynamic],
    [STATIC, revocable],
  ] as const) {
    const uid = uuidv7();
    const config = { ...common, name, uid, credential, access: { ...access, id: uuidv7(), configUid: uid } };
    await ports.configs.keepAccess(config.access);
    await ports.configs.create(config);
  }
}
