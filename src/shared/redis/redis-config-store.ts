import type { Access, Config } from '../domain/config.ts';
import { Aborted, AlreadyExists, DataLoss, FailedPrecondition } from '../domain/errors.ts';
import { LIVE_STATES } from '../domain/lease.ts';
import type { ConfigStore } from '../ports/config-store.ts';
import type { Seal } from '../sealing/seal.ts';
import type { RedisClient } from './connect-redis.ts';
import type { Keys } from './keys.ts';
import { AccessRecord, ConfigRecord } from './records.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';
import { storeCall } from './store-call.ts';

const keepAccessScript = loadScript('keep-access');
const createScript = loadScript('create-config');
const replaceScript = loadScript('replace-config');
const deleteScript = loadScript('delete-config');

/** How long an access stays that nobody names: longer than it takes to try a config before it is stored. */
export const UNUSED_ACCESS_MS = 60 * 60 * 1000;

/** Opened accesses that are remembered: they never change. Beyond it the oldest are read again. */
const MAX_REMEMBERED = 1024;

/** Configs in Redis, the tokens of their accesses sealed. */
export class RedisConfigStore implements ConfigStore {
  readonly #redis: RedisClient;
  readonly #scripts: ScriptRunner;
  readonly #keys: Keys;
  readonly #seal: Seal;
  readonly #accesses = new Map<string, Access>();

  constructor(redis: RedisClient, scripts: ScriptRunner, keys: Keys, seal: Seal) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#seal = seal;
  }

  async keepAccess(access: Access): Promise<void> {
    const data = JSON.stringify(this.#sealed(access));
    await keepAccessScript(this.#scripts, [this.#keys.access(access.id)], [data, UNUSED_ACCESS_MS]);
    this.#remember(access);
  }

  async getAccess(id: string, configUid: string): Promise<Access | undefined> {
    const access = this.#accesses.get(id) ?? (await this.#readAccess(id));
    if (access && access.configUid !== configUid) {
      throw new DataLoss('STORED_SECRET_DAMAGED', `access ${id} belongs to another config than its record says`);
    }
    return access;
  }

  async create(config: Config): Promise<void> {
    const answer = await createScript(
      this.#scripts,
      [this.#keys.config(config.name), this.#keys.configNames, this.#keys.access(config.access.id)],
      [config.name, config.uid, config.version, serialize(config)],
    );
    if (answer === 'taken') {
      throw new AlreadyExists('CONFIG_NAME_TAKEN', `there is a config ${JSON.stringify(config.name)} already`);
    }
    expectOk(answer, config);
  }

  async get(name: string): Promise<Config | undefined> {
    const data = await storeCall(() => this.#redis.hget(this.#keys.config(name), 'data'));
    return data === null ? undefined : this.#parse(data);
  }

  async list({ after, limit }: { after: string; limit: number }): Promise<Config[]> {
    const start = after === '' ? '-' : `(${after}`;
    const names = await storeCall(() =>
      this.#redis.zrange(this.#keys.configNames, start, '+', 'BYLEX', 'LIMIT', 0, limit),
    );
    const configs = await Promise.all(names.map((name) => this.get(name)));
    return configs.filter((config) => config !== undefined);
  }

  async replace(config: Config): Promise<void> {
    const before = await this.get(config.name);
    const oldAccess = before?.access ?? config.access;
    expectOk(
      await replaceScript(
        this.#scripts,
        [this.#keys.config(config.name), this.#keys.access(oldAccess.id), this.#keys.access(config.access.id)],
        [config.uid, config.version - 1, config.version, serialize(config), UNUSED_ACCESS_MS],
      ),
      config,
    );
  }

  async delete(config: Config): Promise<void> {
    const answer = await deleteScript(
      this.#scripts,
      [
        this.#keys.config(config.name),
        this.#keys.configNames,
        this.#keys.access(config.access.id),
        ...LIVE_STATES.map((state) => this.#keys.leasesOf(config.name, state)),
      ],
      [config.name, config.uid, config.version, UNUSED_ACCESS_MS],
    );
    if (answer === 'live') {
      throw new FailedPrecondition(
        'CONFIG_HAS_LIVE_LEASES',
        `leases on config ${JSON.stringify(config.name)} live: list them by its name and revoke them first`,
      );
    }
    expectOk(answer, config);
  }

  async #parse(data: string): Promise<Config> {
    const { accessId, ...config } = ConfigRecord.parse(JSON.parse(data));
    const access = await this.getAccess(accessId, config.uid);
    if (!access) {
      throw new Error(`the access of config ${config.name} is not in the store`);
    }
    return { ...config, access };
  }

  async #readAccess(id: string): Promise<Access | undefined> {
    const data = await storeCall(() => this.#redis.hget(this.#keys.access(id), 'data'));
    if (data === null) {
      return undefined;
    }
    const access = this.#opened(id, AccessRecord.parse(JSON.parse(data)));
    this.#remember(access);
    return access;
  }

  #sealed(access: Access): AccessRecord {
    if (access.kind === 'gateway') {
      const { id: _, ...open } = access;
      return open;
    }
    const { id, token, ...open } = access;
    return { ...open, sealedToken: this.#seal.seal(token, placeOf(id)) };
  }

  #opened(id: string, record: AccessRecord): Access {
    if (record.kind === 'gateway') {
      return { ...record, id };
    }
    const { sealedToken, ...open } = record;
    return { ...open, id, token: this.#seal.open(sealedToken, placeOf(id)) };
  }

  #remember(access: Access): void {
    this.#accesses.set(access.id, access);
    const [oldest] = this.#accesses.keys();
    if (this.#accesses.size > MAX_REMEMBERED && oldest !== undefined) {
      this.#accesses.delete(oldest);
    }
  }
}

function serialize({ access, ...config }: Config): string {
  return JSON.stringify({ ...config, accessId: access.id });
}

/** Where an access is kept: sealed for it, a token does not open in another. */
function placeOf(accessId: string): string {
  return `access/${accessId}`;
}

function expectOk(answer: unknown, config: Config): void {
  if (answer !== 'ok') {
    throw new Aborted('CONFIG_CHANGED', `config ${JSON.stringify(config.name)} was changed by somebody else meanwhile`);
  }
}
