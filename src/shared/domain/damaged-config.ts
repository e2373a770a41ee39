import type { Config } from './config.ts';
import { DataLoss } from './errors.ts';

/**
 * What is left of a config of which the record, or that of its access, is damaged: enough to see it, to give it a new
 * access, and to delete it. What can be read stands here.
 */
export interface DamagedConfig
  extends Pick<Config, 'name' | 'uid' | 'version' | 'labels'>,
    Partial<Omit<Config, 'access' | 'name' | 'uid' | 'version' | 'labels'>> {
  /** What does not open, and why. */
  problem: string;
  /** undefined where that cannot be read either. */
  accessId: string | undefined;
}

/** A config as the store finds it. */
export type StoredConfig = Config | DamagedConfig;

export function isIntact(config: StoredConfig): config is Config {
  return 'access' in config;
}

/** For what needs the whole of it. Throws DataLoss. */
export function requireIntact(config: StoredConfig): Config {
  if (!isIntact(config)) {
    const { name, problem } = config;
    throw new DataLoss('STORED_SECRET_DAMAGED', `config ${JSON.stringify(name)} cannot be used: ${problem}`);
  }
  return config;
}
