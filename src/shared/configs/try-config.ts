import pLimit from 'p-limit';
import { v7 as uuidv7 } from 'uuid';
import { type Config, type DynamicCredential, namespacesOf, type StaticCredential } from '../domain/config.ts';
import type { Lease } from '../domain/lease.ts';
import { permissionsFor } from '../domain/permissions.ts';
import { planLease } from '../domain/plan-lease.ts';
import { MIN_TOKEN_SECONDS } from '../domain/ttl.ts';
import { allDone } from '../leases/all-done.ts';
import { useByCaller } from '../leases/cluster-use.ts';
import { grant } from '../leases/grant.ts';
import { withFreshNames } from '../leases/name-taken.ts';
import { revoke } from '../leases/revoke.ts';
import type { Ports } from '../ports/ports.ts';
import { currentTraceparent, inSpan } from '../telemetry/span.ts';
import { askPermissions, refuseLacking } from './ask-permissions.ts';
import { lookAtObjects, requireRoles, warningsOf } from './named-objects.ts';
import { mintOwnToken } from './prove-renewal.ts';

/** Whose trial leases are that no caller asks for. */
const OWN_PRINCIPAL = 'leasehold';

/** Namespaces that are tried at the same time. */
const NAMESPACES_AT_ONCE = 4;

/** After this the worker takes a trial down that we left behind. Longer than a trial can take: its calls have deadlines. */
const TRIAL_MS = 120_000;

/**
 * Does on the cluster what a lease on `config` would do, and takes it back. Returns what could not be tried, in words
 * for people. Throws FailedPrecondition where the role does not exist, or the ClusterError of the first step that
 * fails; then nothing stays behind.
 */
export async function tryConfig(ports: Ports, config: Config): Promise<string[]> {
  return inSpan('config.try', { attributes: { 'leasehold.config': config.name } }, async () => {
    await mintOwnToken(ports, config.access);
    return config.credential.kind === 'static'
      ? tryStatic(ports, config, config.credential)
      : tryDynamic(ports, config, config.credential);
  });
}

async function tryStatic(ports: Ports, config: Config, credential: StaticCredential): Promise<string[]> {
  const { namespace, serviceAccount: name, revocable } = credential;
  const cluster = ports.clusters.at(config.access, useByCaller('trial'));
  await cluster.readServiceAccount({ namespace, name });
  if (revocable) {
    await requireDeletes(ports, config);
    await tryNamespace(ports, config, namespace);
  } else {
    await cluster.mintToken(
      { namespace, name },
      { audiences: config.audiences, seconds: MIN_TOKEN_SECONDS, forLease: true },
    );
  }
  return [];
}

async function tryDynamic(ports: Ports, config: Config, credential: DynamicCredential): Promise<string[]> {
  await requireDeletes(ports, config);
  const objects = await lookAtObjects(ports.clusters.at(config.access, useByCaller('trial')), credential);
  requireRoles(objects);
  const limit = pLimit(NAMESPACES_AT_ONCE);
  await allDone(namespacesOf(credential).map((namespace) => limit(() => tryNamespace(ports, config, namespace))));
  return warningsOf(objects);
}

/** Asked before anything is made: what cannot be removed would stay. */
async function requireDeletes(ports: Ports, { access, credential }: Config): Promise<void> {
  const deletes = permissionsFor(credential).filter(({ verb }) => verb === 'delete');
  const answers = await askPermissions(ports.clusters.at(access, useByCaller('trial')), deletes);
  refuseLacking(answers.filter(({ allowed }) => !allowed));
}

/** A trial is a lease like any other, with a record and an alarm: if we die in the middle, the worker removes it. */
async function tryNamespace(ports: Ports, config: Config, namespace: string): Promise<void> {
  const granted = await withFreshNames(() => grant(ports, planTrial(ports, config, namespace), config.access));
  if ('lease' in granted) {
    await revoke(ports, granted.lease, 'REVOKED');
  }
}

function planTrial({ clock, policy }: Ports, config: Config, namespace: string): Lease {
  const now = clock.now();
  const trial = planLease(
    config,
    // What a trial leaves behind is taken down on its caller's share of the worker.
    { namespace, audiences: [], principal: useByCaller('trial').principal ?? OWN_PRINCIPAL },
    {
      id: uuidv7(),
      now,
      purpose: 'trial',
      issueTimeoutMs: policy.issueTimeoutMs,
      traceparent: currentTraceparent(),
    },
  );
  return { ...trial, expireTime: now + TRIAL_MS };
}
