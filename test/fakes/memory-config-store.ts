import type { Access, Config } from '../../src/shared/domain/config.ts';
import { Aborted, AlreadyExists, DataLoss, FailedPrecondition } from '../../src/shared/domain/errors.ts';
import { type Quotas, quotaReached } from '../../src/shared/domain/quotas.ts';
import type { ConfigStore, Trial } from '../../src/shared/ports/config-store.ts';
import { FORMER_ACCESS_MS, type MemoryRecords, UNUSED_ACCESS_MS } from './memory-records.ts';
import { UNLIMITED_QUOTAS } from './unlimited-quotas.ts';

/** Configs in memory. */
export class MemoryConfigStore implements ConfigStore {
  readonly #records: MemoryRecords;
  readonly #quotas: Quotas;

  constructor(records: MemoryRecords, quotas = UNLIMITED_QUOTAS) {
    this.#records = records;
    this.#quotas = quotas;
  }

  async keepAccess(access: Access, trial?: Trial): Promise<void> {
    const trialOf = trial?.principal;
    const { journal, accesses } = this.#records;
    if (this.#records.access(access.id)) {
      return;
    }
    const trials = [...accesses].filter(([id, kept]) => kept.trialOf === trialOf && this.#records.access(id));
    if (trialOf !== undefined && trials.length >= this.#quotas.trialsPerPrincipal) {
      throw quotaReached(this.#quotas, 'trialsPerPrincipal', `principal:${trialOf}`);
    }
    const goneAt = this.#records.now() + UNUSED_ACCESS_MS;
    journal.set(accesses, access.id, { access, uses: 0, goneAt, trialOf });
  }

  async dropAccess({ id }: Access): Promise<void> {
    const { journal, accesses } = this.#records;
    const kept = this.#records.access(id);
    if (kept && kept.uses > 0) {
      journal.set(accesses, id, { ...kept, graceMs: 0 });
    } else if (kept) {
      journal.delete(accesses, id);
    }
  }

  async getAccess(id: string, configUid: string): Promise<Access | undefined> {
    const access = this.#records.access(id)?.access;
    if (access && access.configUid !== configUid) {
      throw new DataLoss('STORED_SECRET_DAMAGED', `access ${id} belongs to another config`);
    }
    return access;
  }

  async create(config: Config, creator?: string): Promise<void> {
    if (this.#records.configs.has(config.name)) {
      throw new AlreadyExists('CONFIG_NAME_TAKEN', `there is a config ${config.name} already`);
    }
    this.#requireAccess(config);
    const created = [...this.#records.configs.values()].filter((kept) => kept.creator === creator);
    if (creator !== undefined && created.length >= this.#quotas.configsPerPrincipal) {
      throw quotaReached(this.#quotas, 'configsPerPrincipal', `principal:${creator}`);
    }
    this.#records.journal.inOneScript(() => {
      this.#keep(config, creator);
      this.#takeIntoUse(config.access.id);
    });
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
    const { accessId, creator } = this.#requireStored(config, config.version - 1);
    this.#requireAccess(config);
    this.#records.journal.inOneScript(() => {
      this.#keep(config, creator);
      this.#takeIntoUse(config.access.id);
      this.#records.use(accessId, -1);
    });
  }

  async markDeletion({ name, uid }: Config, id: string, ms: number): Promise<void> {
    const kept = this.#records.configs.get(name);
    if (kept?.uid !== uid) {
      throw new Aborted('CONFIG_CHANGED', `config ${name} was changed by somebody else meanwhile`);
    }
    const until = this.#records.now() + ms;
    const others = kept.deletions.filter((mark) => mark.id !== id && mark.until > this.#records.now());
    const isNew = !kept.deletions.some((mark) => mark.id === id);
    if (ms > 0 && isNew && others.length >= this.#quotas.deletionsPerConfig) {
      throw quotaReached(this.#quotas, 'deletionsPerConfig', `config:${name}`);
    }
    const deletions = ms > 0 ? [...others, { id, until }] : others;
    this.#records.journal.set(this.#records.configs, name, { ...kept, deletions });
  }

  async delete(config: Config): Promise<void> {
    this.#requireStored(config, config.version);
    const { journal, configs, leases } = this.#records;
    if ([...leases.values()].some((lease) => lease.live && lease.listed && lease.config === config.name)) {
      throw new FailedPrecondition('CONFIG_HAS_LIVE_LEASES', `leases on config ${config.name} live`);
    }
    journal.inOneScript(() => {
      journal.delete(configs, config.name);
      this.#records.use(config.access.id, -1);
    });
  }

  #takeIntoUse(id: string): void {
    const { journal, accesses } = this.#records;
    const kept = accesses.get(id);
    if (kept) {
      journal.set(accesses, id, { ...kept, trialOf: undefined, graceMs: FORMER_ACCESS_MS });
    }
    this.#records.use(id, 1);
  }

  #keep({ access, ...config }: Config, creator: string | undefined): void {
    const { name, uid, version } = config;
    const before = this.#records.configs.get(name);
    const deletions = before?.uid === uid ? before.deletions : [];
    const kept = { json: JSON.stringify(config), uid, version, accessId: access.id, deletions, creator };
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
