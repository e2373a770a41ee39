import { isDeepStrictEqual } from 'node:util';
import { type AccessDraft, type Config, type ConfigDraft, clusterOf } from '../domain/config.ts';
import { leaveNewestAccess } from '../leases/leave-newest-access.ts';
import type { Ports } from '../ports/ports.ts';
import { accessFor } from './access-for.ts';
import { requireEtag } from './etag.ts';
import { tryConfig } from './try-config.ts';

/** What becomes of a config. */
export type ConfigChange = Omit<ConfigDraft, 'access'> & {
  /** undefined: the access stays as it is, also where its gateway is gone and another has its name. */
  access: AccessDraft | undefined;
};

/**
 * Stores what `change` makes of the `current` config. Where what leases do on the cluster changes, the cluster is tried first.
 * Leases that are out keep their objects and their end. Throws InvalidArgument (no
 * such gateway), Aborted, a ClusterError or Unavailable.
 */
export async function updateConfig(
  ports: Ports,
  current: Config,
  etag: string,
  change: (config: Config) => ConfigChange,
): Promise<Config> {
  requireEtag(current, etag);
  const draft = change(current);
  const config: Config = {
    ...current,
    ...draft,
    access: draft.access ? await accessFor(ports, draft.access, current.uid, current.access) : current.access,
    version: current.version + 1,
    updateTime: ports.clock.now(),
  };
  if (actsOtherwise(current, config)) {
    await ports.configs.keepAccess(config.access);
    await tryConfig(ports, config);
  }
  if (clusterOf(config.access) !== clusterOf(current.access)) {
    await leaveNewestAccess(ports, current);
  }
  await ports.configs.replace(config);
  ports.log.info({ config: config.name, version: config.version }, 'config updated');
  return config;
}

function actsOtherwise(before: Config, after: Config): boolean {
  return (
    before.access !== after.access ||
    !isDeepStrictEqual(before.credential, after.credential) ||
    !isDeepStrictEqual(before.audiences, after.audiences)
  );
}
