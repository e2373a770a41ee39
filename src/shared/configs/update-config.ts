import { isDeepStrictEqual } from 'node:util';
import { v7 as uuidv7 } from 'uuid';
import { type Access, type Config, type ConfigDraft, sameEndpoint } from '../domain/config.ts';
import { findConfig } from '../leases/find-config.ts';
import { leaveNewestAccess } from '../leases/leave-newest-access.ts';
import type { Ports } from '../ports/ports.ts';
import { requireEtag } from './etag.ts';
import { tryConfig } from './try-config.ts';

/**
 * Stores what `change` makes of the config. Where what leases do on the cluster changes, the cluster is tried first.
 * Leases that are out keep their objects and their end. Throws NotFound, Aborted, a ClusterError or Unavailable.
 */
export async function updateConfig(
  ports: Ports,
  name: string,
  etag: string,
  change: (config: Config) => ConfigDraft,
): Promise<Config> {
  const current = await findConfig(ports, name);
  requireEtag(current, etag);
  const draft = change(current);
  const config: Config = {
    ...current,
    ...draft,
    access: sameAccess(current.access, draft.access) ? current.access : { ...draft.access, id: uuidv7() },
    version: current.version + 1,
    updateTime: ports.clock.now(),
  };
  if (actsOtherwise(current, config)) {
    await ports.configs.keepAccess(config.access);
    await tryConfig(ports, config);
  }
  if (config.access.url !== current.access.url) {
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

function sameAccess(stored: Access, wanted: Omit<Access, 'id'>): boolean {
  return sameEndpoint(stored, wanted) && stored.token.equals(wanted.token);
}
