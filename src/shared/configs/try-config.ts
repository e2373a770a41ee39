import pLimit from 'p-limit';
import { v7 as uuidv7 } from 'uuid';
import { ClusterRefused } from '../domain/cluster-error.ts';
import { type Config, type DynamicCredential, namespacesOf, type StaticCredential } from '../domain/config.ts';
import type { Lease } from '../domain/lease.ts';
import { type Permission, permissionsFor } from '../domain/permissions.ts';
import { planLease } from '../domain/plan-lease.ts';
import { MIN_TOKEN_SECONDS } from '../domain/ttl.ts';
import { allDone } from '../leases/all-done.ts';
import { grant } from '../leases/grant.ts';
import { withFreshNames } from '../leases/name-taken.ts';
import { revoke } from '../leases/revoke.ts';
import type { Ports } from '../ports/ports.ts';
import { currentTraceparent, inSpan } from '../telemetry/span.ts';
import { wantedRenewal } from './token-renewal.ts';

/** Who asks for trial leases. */
const TRIAL_PRINCIPAL = 'leasehold';

/** Namespaces that are tried at the same time. */
const NAMESPACES_AT_ONCE = 4;

/** After this the worker takes a trial down that we left behind. Longer than a trial can take: its calls have deadlines. */
const TRIAL_MS = 120_000;

/**
 * Does on the cluster what a lease on `config` would do, and takes it back. Throws the ClusterError of the first step
 * that fails; then nothing stays behind.
 */
export async function tryConfig(ports: Ports, config: Config): Promise<void> {
  await inSpan('config.try', { attributes: { 'leasehold.config': config.name } }, async () => {
    await tryRenewal(ports, config);
    await (config.credential.kind === 'static'
      ? tryStatic(ports, config, config.credential)
      : tryDynamic(ports, config, config.credential));
  });
}

/**
 * A token that nobody gets, of almost the shortest life that there is: an older API server gives the same token to who asks
 * for the same in the same second, and this must not be taken for the config's own.
 */
async function tryRenewal(ports: Ports, { access }: Config): Promise<void> {
  const renewal = wantedRenewal(access);
  if (renewal) {
    const { account, audiences } = renewal;
    await ports.clusters.at(access).mintToken(account, { audiences, seconds: MIN_TOKEN_SECONDS + 1 });
  }
}

async function tryStatic(ports: Ports, config: Config, credential: StaticCredential): Promise<void> {
  const { namespace, serviceAccount: name, revocable } = credential;
  const cluster = ports.clusters.at(config.access);
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
}

async function tryDynamic(ports: Ports, config: Config, credential: DynamicCredential): Promise<void> {
  await requireDeletes(ports, config);
  const limit = pLimit(NAMESPACES_AT_ONCE);
  await allDone(namespacesOf(credential).map((namespace) => limit(() => tryNamespace(ports, config, namespace))));
}

/** Asked before anything is made: what cannot be removed would stay. */
async function requireDeletes(ports: Ports, config: Config): Promise<void> {
  const cluster = ports.clusters.at(config.access);
  const limit = pLimit(NAMESPACES_AT_ONCE);
  const deletes = permissionsFor(config.credential).filter(({ verb }) => verb === 'delete');
  await Promise.all(
    deletes.map((permission) =>
      limit(async () => {
        const { allowed, reason } = await cluster.mayI(permission);
        if (!allowed) {
          throw forbidden(permission, reason);
        }
      }),
    ),
  );
}

function forbidden({ apiGroup, resource, namespace }: Permission, reason: string): ClusterRefused {
  const call = { verb: 'delete', apiGroup, resource, ...(namespace === undefined ? {} : { namespace }) } as const;
  const message = `the cluster token cannot delete resource "${resource}"${reason && `: ${reason}`}`;
  return new ClusterRefused(call, {
    status: 403,
    message,
    reason: 'Forbidden',
    objectName: '',
    retryAfterMs: undefined,
  });
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
    { namespace, audiences: [], principal: TRIAL_PRINCIPAL },
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
