import type { Access, Config } from '../../src/shared/domain/config.ts';
import { Aborted, AlreadyExists, DataLoss, FailedPrecondition } from '../../src/shared/domain/errors.ts';
import type { ConfigStore } from '../../src/shared/ports/config-store.ts';
import { type MemoryRecords, UNUSED_ACCESS_MS } from './memory-records.ts';

/** Configs in memory. */
export class MemoryConfigStore implements ConfigStore {
  readonly #records: MemoryRecords;

  constructor(records: MemoryRecords) {
    this.#records = records;
  }

  async keepAccess(access: Access): Promise<void> {
    if (!this.#records.access(access.id)) {
      const goneAt = this.#records.now() + UNUSED_ACCESS_MS;
      this.#records.journal.set(this.#records.accesses, access.id, { access, uses: 0, goneAt });
    }
  }

  async getAccess(id: string, configUid: string): Promise<Access | undefined> {
    const access = this.#records.access(id)?.access;
    if (access && access.configUid !== configUid) {
      throw new DataLoss('STORED_SECRET_DAMAGED', `access ${id} belongs to another config`);
    }
    return access;
  }

  async create(config: Config): Promise<void> {
    if (this.#records.configs.has(config.name)) {
      throw new AlreadyExists('CONFIG_NAME_TAKEN', `there is a config ${config.name} already`);
    }
    this.#requireAccess(config);
    this.#keep(config);
    this.#records.use(config.access.id, 1);
  }

  async get(name: string): Promise<Config | undefined> {
    const kept = this.#records.configs.get(name);
    const access = kept && (await this.getAccess(kept.accessId, kept.uid));
    return access && { ...(JSON.parse(kept.json) as Omit<Config, 'access'>), access };
  }

  async list({ after, limit }: { after: string; limit: number }): Promise<Config[]> {
    const names = [...this.#records.configs.keys()].sort().filter((name) => name > after);
    const configs = await Promise.all(names.slice(0, limit).map((name) => this.get(name)));
    return configs.filter((config) => config !== undefined);
  }

  async replace(config: Config): Promise<void> {
    const { accessId } = this.#requireStored(config, config.version - 1);
    this.#requireAccess(config);
    this.#keep(config);
    this.#records.use(config.access.id, 1);
    this.#records.use(accessId, -1);
  }

  async markDeletion({ name, uid }: Config, id: string, ms: number): Promise<void> {
    const kept = this.#records.configs.get(name);
    if (kept?.uid !== uid) {
      throw new Aborted('CONFIG_CHANGED', `config ${name} was changed by somebody else meanwhile`);
    }
    const until = this.#records.now() + ms;
    const others = kept.deletions.filter((mark) => mark.id !== id && mark.until > this.#records.now());
    const deletions = ms > 0 ? [...others, { id, until }] : others;
    this.#records.journal.set(this.#records.configs, name, { ...kept, deletions });
  }

  async delete(config: Config): Promise<void> {
    this.#requireStored(config, config.version);
    const { journal, configs, leases } = this.#records;
    if ([...leases.values()].some((lease) => lease.live && lease.listed && lease.config === config.name)) {
      throw new FailedPrecondition('CONFIG_HAS_LIVE_LEASES', `leases on config ${config.name} live`);
    }
    journal.delete(configs, config.name);
    this.#records.use(config.access.id, -1);
  }

  #keep({ access, ...config }: Config): void {
    const { name, uid, version } = config;
    const before = this.#records.configs.get(name);
    const deletions = before?.uid === uid ? before.deletions : [];
    const kept = { json: JSON.stringify(config), uid, version, accessId: access.id, deletions };
    this.#records.journal.set(this.#records.configs, name, kept);
  }

  #requireStored({ name, uid }: Config, version: number) {
    const kept = this.#records.configs.get(name);
    if (kept?.uid !== uid || kept.version !== version) {
      throw new Aborted('CONFIG_CHANGED', `config ${name} was changed by somebody else meanwhile`);
    }
    return kept;
  }

  #requireAccess({ name, access }: Config): void {
    if (!this.#records.access(access.id)) {
      throw new Aborted('CONFIG_CHANGED', `the access of config ${name} is gone`);
    }
  }
}
