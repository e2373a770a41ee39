import type { Access, Config } from '../domain/config.ts';
import type { StoredConfig } from '../domain/damaged-config.ts';

/** For what an access is kept before a config names it. */
export interface Trial {
  /** Who has it tried. */
  principal: string;
  /** Whether the config that is to name it is not stored yet. */
  isOfNewConfig: boolean;
}

/**
 * Configs with their access, which is stored sealed. One that is damaged comes back as what is left of it. Fails with
 * Unavailable where the store is away.
 */
export interface ConfigStore {
  /**
   * Stores an access under its id, so that leases can name it. It stays while a config or a live lease names it.
   * Throws ResourceExhausted where the principal of `trial` has too many of them.
   */
  keepAccess(access: Access, trial?: Trial): Promise<void>;
  /**
   * Removes an access that no config came to name: at once, or with the last trial lease that is taken down with it.
   */
  dropAccess(access: Access): Promise<void>;
  /** Throws DataLoss where it does not open, or is an access of another config than that of this uid. */
  getAccess(id: string, configUid: string): Promise<Access | undefined>;
  /**
   * Throws AlreadyExists where the name is taken, and ResourceExhausted where `creator` has created as many as it may:
   * those that are there count, whoever changes them. Without a creator it counts for no one.
   */
  create(config: Config, creator?: string): Promise<void>;
  get(name: string): Promise<StoredConfig | undefined>;
  /** In the order of names, those after `after`. */
  list(page: { after: string; limit: number }): Promise<StoredConfig[]>;
  /** Stores `config` over the version before it. Throws Aborted where that is no longer the stored one. */
  replace(config: Config): Promise<void>;
  /**
   * Marks `config` as being deleted by the call `id`, for `ms` from now: until then no lease on it is recorded,
   * whatever becomes of that call. Marking it again moves the end, and 0 ms take the mark back. A change of the config
   * keeps it. Throws Aborted where there is no config of that uid, and ResourceExhausted where too many calls delete
   * it.
   */
  markDeletion(config: StoredConfig, id: string, ms: number): Promise<void>;
  /** Throws FailedPrecondition while leases on it live, and Aborted where `config` is not the stored version. */
  delete(config: StoredConfig): Promise<void>;
}
