import type { Access, Config } from '../domain/config.ts';
import { type DamagedConfig, isIntact, type StoredConfig } from '../domain/damaged-config.ts';
import { Aborted, AlreadyExists, DataLoss, FailedPrecondition } from '../domain/errors.ts';
import { LIVE_STATES } from '../domain/lease.ts';
import { parseJson } from '../domain/parse-json.ts';
import { DEFAULT_QUOTAS, type Quotas, quotaReached } from '../domain/quotas.ts';
import type { ConfigStore, Trial } from '../ports/config-store.ts';
import type { RedisClient } from './connect-redis.ts';
import type { DamageReports } from './damage-reports.ts';
import type { Keys } from './keys.ts';
import { namesAfter, readPage } from './read-page.ts';
import { ConfigRecord } from './records.ts';
import { FORMER_ACCESS_MS, type RedisAccesses } from './redis-accesses.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';
import { storeCall } from './store-call.ts';

const createScript = loadScript('create-config', 'quota', 'use-access');
const replaceScript = loadScript('replace-config', 'use-access');
const markDeletionScript = loadScript('mark-deletion');
const deleteScript = loadScript('delete-config');

/** Configs in Redis. One whose record or access is damaged is still seen, and does not keep the others from being. */
export class RedisConfigStore implements ConfigStore {
  readonly #redis: RedisClient;
  readonly #scripts: ScriptRunner;
  readonly #keys: Keys;
  readonly #accesses: RedisAccesses;
  readonly #damage: DamageReports;
  readonly #quotas: Quotas;

  constructor(
    redis: RedisClient,
    scripts: ScriptRunner,
    keys: Keys,
    accesses: RedisAccesses,
    damage: DamageReports,
    quotas: Quotas = DEFAULT_QUOTAS,
  ) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#accesses = accesses;
    this.#damage = damage;
    this.#quotas = quotas;
  }

  keepAccess(access: Access, trial?: Trial): Promise<void> {
    return this.#accesses.keep(access, trial?.principal);
  }

  dropAccess(access: Access): Promise<void> {
    return this.#accesses.drop(access);
  }

  getAccess(id: string, configUid: string): Promise<Access | undefined> {
    return this.#accesses.get(id, configUid);
  }

  async create(config: Config, creator?: string): Promise<void> {
    const { name, uid, version, access } = config;
    const counts = creator === undefined ? [] : [this.#keys.configsBy(creator)];
    const answer = await createScript(
      this.#scripts,
      [this.#keys.config(name), this.#keys.configNames, this.#keys.access(access.id), ...counts],
      [name, uid, version, serialize(config), FORMER_ACCESS_MS, this.#quotas.configsPerPrincipal, access.id],
    );
    if (answer === 'full') {
      throw quotaReached(this.#quotas, 'configsPerPrincipal', `principal:${creator}`);
    }
    if (answer === 'taken') {
      throw new AlreadyExists('CONFIG_NAME_TAKEN', `there is a config ${JSON.stringify(config.name)} already`);
    }
    expectOk(answer, config);
  }

  async get(name: string): Promise<StoredConfig | undefined> {
    const [uid, version, data] = await storeCall(() =>
      this.#redis.hmget(this.#keys.config(name), 'uid', 'version', 'data'),
    );
    const isThere = typeof uid === 'string' || typeof data === 'string';
    return isThere ? this.#parse(data ?? '', { name, uid: uid ?? '', version: Number(version) }) : undefined;
  }

  list(page: { after: string; limit: number }): Promise<StoredConfig[]> {
    return readPage(page, {
      idsAfter: namesAfter(this.#redis, this.#keys.configNames),
      read: (name) => this.get(name),
    });
  }

  async replace(config: Config): Promise<void> {
    const before = await this.get(config.name);
    const oldAccessId = (before && accessIdOf(before)) ?? config.access.id;
    expectOk(
      await replaceScript(
        this.#scripts,
        [
          this.#keys.config(config.name),
          this.#keys.access(oldAccessId),
          this.#keys.access(config.access.id),
          this.#keys.renewalError(oldAccessId),
        ],
        [config.uid, config.version - 1, config.version, serialize(config), FORMER_ACCESS_MS, config.access.id],
      ),
      config,
    );
  }

  async markDeletion(config: StoredConfig, id: string, ms: number): Promise<void> {
    const most = this.#quotas.deletionsPerConfig;
    const answer = await markDeletionScript(
      this.#scripts,
      [this.#keys.config(config.name)],
      [config.uid, id, ms, most],
    );
    if (answer === 'full') {
      throw quotaReached(this.#quotas, 'deletionsPerConfig', `config:${config.name}`);
    }
    expectOk(answer, config);
  }

  async delete(config: StoredConfig): Promise<void> {
    const answer = await deleteScript(
      this.#scripts,
      [
        this.#keys.config(config.name),
        this.#keys.configNames,
        this.#keys.access(accessIdOf(config) ?? ''),
        this.#keys.renewalError(accessIdOf(config) ?? ''),
        ...LIVE_STATES.map((state) => this.#keys.leasesOf(config.name, state)),
      ],
      [config.name, config.uid, config.version, FORMER_ACCESS_MS],
    );
    if (answer === 'live') {
      throw new FailedPrecondition(
        'CONFIG_HAS_LIVE_LEASES',
        `leases on config ${JSON.stringify(config.name)} live: list them by its name and revoke them first`,
      );
    }
    expectOk(answer, config);
  }

  async #parse(data: string, identity: Identity): Promise<StoredConfig> {
    const record = ConfigRecord.safeParse(parseJson(data));
    if (!record.success || record.data.name !== identity.name || record.data.uid !== identity.uid) {
      return this.#damagedRecord(identity);
    }
    this.#damage.whole(`config ${JSON.stringify(identity.name)}`);
    const { accessId, ...config } = record.data;
    try {
      const access = await this.#accesses.get(accessId, config.uid);
      return access
        ? { ...config, access }
        : { ...config, accessId, problem: `access ${accessId}: it is not in the store` };
    } catch (error) {
      if (!(error instanceof DataLoss)) {
        throw error;
      }
      return { ...config, accessId, problem: error.message };
    }
  }

  #damagedRecord(identity: Identity): DamagedConfig {
    const problem = 'its record is cut off or changed';
    const record = `config ${JSON.stringify(identity.name)}`;
    this.#damage.damaged(record, new DataLoss('STORED_SECRET_DAMAGED', `${record}: ${problem}`));
    return { ...identity, labels: {}, accessId: undefined, problem };
  }
}

/** The fields of a config that stand beside its record, for the scripts. */
type Identity = Pick<DamagedConfig, 'name' | 'uid' | 'version'>;

function accessIdOf(config: StoredConfig): string | undefined {
  return isIntact(config) ? config.access.id : config.accessId;
}

function serialize({ access, ...config }: Config): string {
  return JSON.stringify({ ...config, accessId: access.id });
}

function expectOk(answer: unknown, config: StoredConfig): void {
  if (answer !== 'ok') {
    throw new Aborted('CONFIG_CHANGED', `config ${JSON.stringify(config.name)} was changed by somebody else meanwhile`);
  }
}
