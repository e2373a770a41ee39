import pLimit from 'p-limit';
import { RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { createRuntime } from '../../src/shared/runtime.ts';
import { readSettings } from '../../src/shared/settings.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import type { LeaseholdClient } from '../support/leasehold.ts';
import type { LeaseholdProcess } from '../support/leasehold-process.ts';
import { type Access, directAccess, seconds } from '../support/set-ups.ts';
import type { AgentHome } from '../support/transports/agent-home.ts';
import { openApart } from '../support/transports/apart.ts';
import {
  type AgentOf,
  type GatewayInstallation,
  type InstalledServer,
  openGatewayInstallation,
} from '../support/transports/gateway-installation.ts';
import { addAgent, openGateway } from '../support/transports/open-gateway.ts';
import { DYNAMIC } from './installation.ts';
import { bringEndsNear } from './near-ends.ts';
import { SHORT_TIMES } from './patience.ts';
import type { Site } from './site.ts';
import type { Judged } from './verdict.ts';

export type Mode = 'gateway authentication' | 'network path';

/** A Leasehold that reaches the site's cluster by a gateway only: all of it processes that may be killed. */
export interface BehindGateway extends Judged, AsyncDisposable {
  installation: GatewayInstallation;
  /** The one that is called, and to which agents attach first; then the other, where there are two. */
  servers: [InstalledServer, ...InstalledServer[]];
  agents: [Agent, ...Agent[]];
  client: LeaseholdClient;
}

interface Agent {
  home: AgentHome;
  agent: LeaseholdProcess;
}

export interface Wanted {
  mode?: Mode;
  servers?: number;
  agents?: number;
  /** The way to the first server for agents. */
  way?: (server: InstalledServer) => Promise<string>;
}

const GATEWAY = 'gateway';

export async function openBehindGateway(
  site: Site,
  { mode = 'gateway authentication', servers: serverCount = 1, agents: agentCount = 1, way }: Wanted = {},
): Promise<BehindGateway> {
  await using opened = new AsyncDisposableStack();
  const { url, tls, token } = site.access;
  const cluster = { url, caPem: tls.caPem ?? '' };
  const where = await openApart(cluster, site.redisUrl);
  const installation = opened.use(await openGatewayInstallation(where, SHORT_TIMES));
  const runtime = await createRuntime(
    readSettings({ ...installation.environment, LEASEHOLD_REDIS_URL: site.redisUrl }),
    createLogger('faults', 'silent'),
  );
  opened.defer(() => runtime.close());
  await installation.startWorker();
  const first = await installation.startServer();
  const others = [];
  for (let count = 1; count < serverCount; count++) {
    others.push(await installation.startServer());
  }
  const { client } = first;

  const relays = [(await way?.(first)) ?? first.relayAddress, ...others.map(({ relayAddress }) => relayAddress)];
  const direct = directAccess(where.cluster, token.reveal());
  const [access, agentOf]: [Access, Omit<AgentOf, 'enrolmentToken'>] =
    mode === 'network path'
      ? [
          { ...direct, value: { ...direct.value, gateway: GATEWAY } },
          { servers: relays, environment: { LEASEHOLD_GATEWAY_TARGETS: new URL(where.cluster.url).host } },
        ]
      : [
          { $case: 'gateway', value: { name: GATEWAY } },
          { servers: relays, token: token.reveal() },
        ];
  const agents: BehindGateway['agents'] = [await openGateway(installation, client, agentOf, GATEWAY)];
  for (let count = 1; count < agentCount; count++) {
    agents.push(await addAgent(installation, client, agentOf, GATEWAY));
  }
  await client.configs.createConfig({
    config: {
      name: DYNAMIC,
      defaultTtl: seconds(60),
      maxTtl: seconds(3600),
      access,
      credential: {
        $case: 'dynamic',
        value: {
          allowedNamespaces: [site.namespace],
          role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: site.role },
        },
      },
    },
  });
  const running = opened.move();
  return {
    site,
    name: installation.environment['LEASEHOLD_INSTALLATION'] ?? '',
    ports: runtime.ports,
    handedOut: [],
    movedBy: new Map(),
    installation,
    servers: [first, ...others],
    agents,
    client,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const MAKERS = 16;

/** Longer than it takes to make them all. */
const TTL = 1200;

/** So many are left then. */
const MIDST = 0.8;

/** Issues so many leases that all end at about the same time; resolves in the midst of their ends. */
export async function beginStorm(behind: BehindGateway, leases: number): Promise<void> {
  const { client, handedOut, ports } = behind;
  const limit = pLimit(MAKERS);
  await Promise.all(
    Array.from({ length: leases }, () =>
      limit(async () => {
        const { lease } = await client.leases.issueLease({ config: DYNAMIC, ttl: seconds(TTL) });
        handedOut.push({ id: lease?.id ?? '', expireTime: Number(lease?.expireTime) });
      }),
    ),
  );
  await bringEndsNear(behind, { inMs: 1_000, alarms: true });
  const enough = leases * MIDST;
  while ((await ports.leases.dueBefore(Number.MAX_SAFE_INTEGER, { offset: 0, limit: leases })).length > enough) {
    // Asks without a rest: the storm is short.
  }
}
