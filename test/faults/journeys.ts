import { randomUUID } from 'node:crypto';
import { RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import type { IssueLeaseResponse } from '../../src/gen/leasehold/v1/lease_service.ts';
import { requireIntact } from '../../src/shared/domain/damaged-config.ts';
import { marksOf } from '../../src/shared/domain/marks.ts';
import { findConfig } from '../../src/shared/leases/find-config.ts';
import { revoke } from '../../src/shared/leases/revoke.ts';
import { EXPIRY_QUEUE } from '../../src/shared/queue/queues.ts';
import type { LeaseholdClient } from '../support/leasehold.ts';
import { loseJobs } from '../support/lose-jobs.ts';
import { directAccess, seconds } from '../support/set-ups.ts';
import { DYNAMIC, type Installation, STATIC } from './installation.ts';
import { bringEndsNear } from './near-ends.ts';
import { BOUND_MS } from './patience.ts';

/** What a caller does: at the server that dies, and again at the one in its place. */
type Call = (client: LeaseholdClient) => Promise<unknown>;

/** A way through the ports, in whose steps a process dies. */
export interface Journey {
  name: string;
  victim: 'server' | 'worker';
  /** Leases that it takes: so many calls of one step are faults of their own. */
  leases: number;
  /** Whether the victim's sweep is part of it. */
  sweeps?: boolean;
  /** How long after the leases' ends objects may stay: those that belong to none are found by reading back. */
  orphansWithinMs?: number;
  prepare(installation: Installation): Promise<Call>;
  /** What happens once the victim is at work. */
  begin?(installation: Installation): Promise<void>;
}

/** No lease ends before its journey does: ends are moved near afterwards. */
const LONG = 1200;

const nothing: Call = () => Promise.resolve();

/** A call that hands out a token, and tells for which lease. */
export function handingOut(
  installation: Installation,
  call: (client: LeaseholdClient) => Promise<IssueLeaseResponse>,
): (client: LeaseholdClient) => Promise<string> {
  return async (client) => {
    const { lease: { id = '', expireTime } = {} } = await call(client);
    installation.handedOut.push({ id, expireTime: expireTime?.getTime() ?? 0 });
    return id;
  };
}

function issuing(config: string): Journey['prepare'] {
  return async (installation) => {
    const requestId = randomUUID();
    return handingOut(installation, ({ leases }) => leases.issueLease({ config, ttl: seconds(LONG), requestId }));
  };
}

async function revokingAll(installation: Installation): Promise<Call> {
  await installation.issue(LONG);
  await installation.issue(LONG);
  const requestId = randomUUID();
  return async ({ leases }) => {
    for await (const _news of leases.batchRevokeLeases({ target: { $case: 'all', value: true }, requestId })) {
      // To the end.
    }
  };
}

async function creatingAConfig({ site }: Installation): Promise<Call> {
  const { access, namespace, role } = site;
  const config = {
    name: 'tried',
    defaultTtl: seconds(LONG),
    maxTtl: seconds(LONG),
    access: directAccess({ url: access.url, caPem: access.tls.caPem ?? '' }, access.token.reveal()),
    credential: {
      $case: 'dynamic' as const,
      value: { allowedNamespaces: [namespace], role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: role } },
    },
  };
  return ({ configs }) => configs.createConfig({ config });
}

/** A lease and none of its jobs. */
async function losingJobs({ issue, site, name }: Installation): Promise<Call> {
  await issue(LONG);
  await loseJobs(site.redisUrl, name, EXPIRY_QUEUE);
  return nothing;
}

/** Near enough for the next sweep to set the alarm (twice its interval), far enough for a sweep that comes late. */
const NEXT_SWEEP_MS = 1_500;

/** Longer than the sweep leaves an alarm to ring (leases/sweep.ts). */
const LONG_OVERDUE_MS = 7_000;

/** Objects that appear after their lease has ended, as a call that was long on its way makes them. */
async function leaveObjectsBehind(installation: Installation): Promise<Call> {
  const { ports, name } = installation;
  const lease = await installation.issue(LONG);
  await revoke(ports, lease, 'REVOKED');
  const { access } = requireIntact(await findConfig(ports, DYNAMIC));
  const account = { namespace: lease.namespace, name: lease.serviceAccount };
  for (const object of lease.objects) {
    await ports.clusters
      .at(access, { purpose: 'issue', principal: undefined })
      .create(object, account, marksOf(lease, name));
  }
  return nothing;
}

export const JOURNEYS: readonly Journey[] = [
  { name: 'issuing, dynamic', victim: 'server', leases: 1, prepare: issuing(DYNAMIC) },
  { name: 'issuing, revocable static', victim: 'server', leases: 1, prepare: issuing(STATIC) },
  {
    name: 'renewing',
    victim: 'server',
    leases: 1,
    async prepare(installation) {
      const { id } = await installation.issue(LONG);
      return handingOut(installation, ({ leases }) => leases.renewLease({ id, ttl: seconds(2 * LONG) }));
    },
  },
  {
    name: 'revoking',
    victim: 'server',
    leases: 1,
    async prepare(installation) {
      const { id } = await installation.issue(LONG);
      return ({ leases }) => leases.revokeLease({ id });
    },
  },
  {
    name: 'expiring',
    victim: 'worker',
    leases: 1,
    async prepare(installation) {
      await installation.issue(LONG);
      return nothing;
    },
    begin: (installation) => bringEndsNear(installation, { alarms: true }),
  },
  { name: 'trying a new config', victim: 'server', leases: 1, prepare: creatingAConfig },
  {
    name: 'deleting a config with its leases',
    victim: 'server',
    leases: 1,
    async prepare(installation) {
      await installation.issue(LONG);
      return ({ configs }) => configs.deleteConfig({ name: DYNAMIC, revokeLeases: true });
    },
  },
  { name: 'asking for a batch revocation', victim: 'server', leases: 1, prepare: revokingAll },
  { name: 'batch revoking', victim: 'worker', leases: 2, prepare: revokingAll },
  {
    name: 'sweeping a lease without a job',
    victim: 'worker',
    leases: 1,
    sweeps: true,
    prepare: losingJobs,
    begin: (installation) => bringEndsNear(installation, { inMs: NEXT_SWEEP_MS }),
  },
  {
    name: 'sweeping an overdue lease',
    victim: 'worker',
    leases: 1,
    sweeps: true,
    async prepare(installation) {
      const call = await losingJobs(installation);
      await bringEndsNear(installation, { inMs: -LONG_OVERDUE_MS });
      return call;
    },
  },
  {
    name: 'reading the cluster back',
    victim: 'worker',
    leases: 1,
    sweeps: true,
    orphansWithinMs: BOUND_MS,
    prepare: leaveObjectsBehind,
  },
];

/** The background of a worker would pass fault points before the journey does. */
const NO_SWEEPS = {
  LEASEHOLD_SWEEP_INTERVAL: '600',
  LEASEHOLD_READ_BACK_INTERVAL: '600',
  LEASEHOLD_TOKEN_RENEWAL_INTERVAL: '600',
};

/** The beginning of a journey: its leases, its victim at work, and a client of the server that is to be called. */
export async function setOut(installation: Installation, journey: Journey, faults = {}) {
  const { victim: role, prepare, begin, sweeps } = journey;
  const environment = { ...faults, ...(sweeps ? {} : NO_SWEEPS) };
  if (role === 'worker') {
    const call = await prepare(installation);
    const victim = installation.spawn(role, environment);
    if (begin) {
      // One that sweeps may come to its fault before.
      await Promise.race([victim.logged('working'), victim.exited]);
      await begin(installation);
    }
    return { victim, client: await installation.startServer(), call };
  }
  const victim = installation.spawn(role, environment);
  const client = await installation.clientOf(victim);
  return { victim, client, call: await prepare(installation) };
}
