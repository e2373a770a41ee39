import { findConfig } from '../leases/find-config.ts';
import type { Ports } from '../ports/ports.ts';
import { requireEtag } from './etag.ts';

/** Removes a config. Throws NotFound, Aborted, FailedPrecondition while leases on it live, or Unavailable. */
export async function deleteConfig(ports: Ports, name: string, etag: string): Promise<void> {
  const config = await findConfig(ports, name);
  requireEtag(config, etag);
  await ports.configs.delete(config);
  ports.log.info({ config: name }, 'config deleted');
}
