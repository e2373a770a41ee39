import { isDeepStrictEqual } from 'node:util';
import { type AccessDraft, type Config, type ConfigDraft, clusterOf } from '../domain/config.ts';
import { isIntact, requireIntact, type StoredConfig } from '../domain/damaged-config.ts';
import { LeaseholdError } from '../domain/errors.ts';
import { adoptLeases } from '../leases/adopt-leases.ts';
import { leaveNewestAccess } from '../leases/leave-newest-access.ts';
import { retryWaitingOn } from '../leases/retry-waiting.ts';
import type { Ports } from '../ports/ports.ts';
import { accessFor } from './access-for.ts';
import { blameUrl } from './blame-url.ts';
import { chargeTrial } from './charge-calls.ts';
import { requireEtag } from './etag.ts';
import { onTrial } from './on-trial.ts';
import { proveChange } from './prove-change.ts';
import { tellWritten, type WrittenConfig } from './written-config.ts';

/** What becomes of a config. */
export type ConfigChange = Omit<ConfigDraft, 'access'> & {
  /** undefined: the access stays as it is, also where its gateway is gone and another has its name. */
  access: AccessDraft | undefined;
};

/**
 * Stores what `change` makes of the `current` config. What changes of what leases do on the cluster is proven there
 * first. Leases that are out keep their objects and their end. Throws InvalidArgument (no such gateway, a URL that may
 * not be called), ResourceExhausted, FailedPrecondition (no such role), Aborted, DataLoss (it is damaged, and not given
 * another access), a ClusterError or Unavailable.
 */
export async function updateConfig(
  ports: Ports,
  current: StoredConfig,
  etag: string,
  change: (config: StoredConfig) => ConfigChange,
  principal: string,
): Promise<WrittenConfig> {
  requireEtag(current, etag);
  const { access: wanted, ...draft } = change(current);
  const before = isIntact(current) ? current : undefined;
  const now = ports.clock.now();
  const config: Config = {
    ...draft,
    access: wanted ? await accessFor(ports, wanted, current.uid, before?.access) : requireIntact(current).access,
    uid: current.uid,
    version: current.version + 1,
    createTime: current.createTime ?? now,
    updateTime: now,
  };
  const isProven = before && !actsOtherwise(before, config);
  if (!isProven) {
    await chargeTrial(ports, principal, config);
  }
  const store = async () => {
    const untried = isProven ? [] : await blameUrl(proveChange(ports, current, config));
    await moveLeases(ports, before, config);
    await ports.configs.replace(config);
    return untried;
  };
  const { access } = config;
  const trial = { principal, isOfNewConfig: false };
  const warnings = before?.access === access ? await store() : await onTrial(ports, { access, trial }, store);
  if (before?.access !== access) {
    await retryNow(ports, config);
  }
  tellWritten(ports, 'config updated', { config: config.name, version: config.version, warnings });
  return { config, warnings };
}

/** Sees to it that the leases of before can still be taken down. `before`: undefined where it was damaged. */
async function moveLeases(ports: Ports, before: Config | undefined, after: Config): Promise<void> {
  if (!before) {
    await adoptLeases(ports, after);
  } else if (clusterOf(after.access) !== clusterOf(before.access)) {
    await leaveNewestAccess(ports, before);
  }
}

/**
 * What the access of before could not take down, this one may. The config is stored: leases that are not tried now are
 * tried later.
 */
async function retryNow(ports: Ports, { name }: Config): Promise<void> {
  try {
    await retryWaitingOn(ports, name);
  } catch (error) {
    if (!(error instanceof LeaseholdError)) {
      throw error;
    }
    ports.log.warn({ config: name, err: error }, 'leases that wait for another try are not tried at once');
  }
}

function actsOtherwise(before: Config, after: Config): boolean {
  return (
    before.access !== after.access ||
    !isDeepStrictEqual(before.credential, after.credential) ||
    !isDeepStrictEqual(before.audiences, after.audiences)
  );
}
