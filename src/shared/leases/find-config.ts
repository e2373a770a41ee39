import type { StoredConfig } from '../domain/damaged-config.ts';
import { NotFound } from '../domain/errors.ts';
import type { Ports } from '../ports/ports.ts';

/** The config of that name. Throws NotFound. */
export async function findConfig(ports: Ports, name: string): Promise<StoredConfig> {
  const config = await ports.configs.get(name);
  if (!config) {
    throw new NotFound('config', name);
  }
  return config;
}
