import type { Access } from '../domain/config.ts';
import { DataLoss } from '../domain/errors.ts';
import { parseJson } from '../domain/parse-json.ts';
import { DEFAULT_QUOTAS, type Quotas, quotaReached } from '../domain/quotas.ts';
import type { KeyEncryption } from '../ports/key-encryption.ts';
import { openEnvelope, sealEnvelope } from '../sealing/envelope.ts';
import type { RedisClient } from './connect-redis.ts';
import type { DamageReports } from './damage-reports.ts';
import type { Keys } from './keys.ts';
import { AccessContent } from './records.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';
import { placeOf, readSealedAccess, writeSealedAccess } from './sealed-access.ts';
import { storeCall } from './store-call.ts';

const keepScript = loadScript('keep-access', 'quota');
const dropScript = loadScript('drop-access');

/** How long an access stays that nobody names: longer than it takes to try a config before it is stored. */
export const UNUSED_ACCESS_MS = 60 * 60 * 1000;

/** How long one stays that a config named before: longer than it takes to record a lease on what was just read. */
export const FORMER_ACCESS_MS = 60 * 1000;

/** Opened accesses that are remembered: they never change. Beyond it the oldest are read again. */
const MAX_REMEMBERED = 1024;

/**
 * Accesses in Redis, each sealed as a whole: who can write there could else have a token sent to a server of his own.
 */
export class RedisAccesses {
  readonly #redis: RedisClient;
  readonly #scripts: ScriptRunner;
  readonly #keys: Keys;
  readonly #encryption: KeyEncryption;
  readonly #damage: DamageReports;
  readonly #quotas: Quotas;
  readonly #opened = new Map<string, Access>();

  constructor(
    redis: RedisClient,
    scripts: ScriptRunner,
    keys: Keys,
    encryption: KeyEncryption,
    damage: DamageReports,
    quotas: Quotas = DEFAULT_QUOTAS,
  ) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#encryption = encryption;
    this.#damage = damage;
    this.#quotas = quotas;
  }

  async keep(access: Access, trialOf?: string): Promise<void> {
    const { id, configUid } = access;
    const envelope = await sealEnvelope(this.#encryption, encode(access), placeOf(configUid, id));
    const answer = await keepScript(
      this.#scripts,
      [
        this.#keys.access(id),
        this.#keys.accessesUnder(envelope.wrappedKey.keyId),
        ...(trialOf === undefined ? [] : [this.#keys.trialsBy(trialOf)]),
      ],
      [writeSealedAccess(configUid, envelope), UNUSED_ACCESS_MS, id, this.#quotas.trialsPerPrincipal],
    );
    if (answer === 'full') {
      throw quotaReached(this.#quotas, 'trialsPerPrincipal', `principal:${trialOf}`);
    }
    this.#remember(access);
  }

  async drop({ id }: Access): Promise<void> {
    this.#opened.delete(id);
    // Where another key was the primary when it was kept, its id is taken out later, as others are kept.
    await dropScript(this.#scripts, [this.#keys.access(id), this.#keys.accessesUnder(this.#encryption.primary)], [id]);
  }

  /** undefined where there is none. Throws DataLoss where it does not open, or is another config's. */
  async get(id: string, configUid: string): Promise<Access | undefined> {
    const access = this.#opened.get(id) ?? (await this.#read(id));
    if (access && access.configUid !== configUid) {
      const error = lossOf(id, `it is not of config ${configUid}, whose record names it`);
      this.#damage.damaged(`access ${id} as one of ${configUid}`, error);
      throw error;
    }
    return access;
  }

  async #read(id: string): Promise<Access | undefined> {
    const data = await storeCall(() => this.#redis.hget(this.#keys.access(id), 'data'));
    if (data === null) {
      return undefined;
    }
    try {
      const access = await this.#open(id, data);
      this.#remember(access);
      return access;
    } catch (error) {
      if (!(error instanceof DataLoss)) {
        throw error;
      }
      const damage = lossOf(id, error.message, error.cause);
      this.#damage.damaged(`access ${id}`, damage);
      throw damage;
    }
  }

  async #open(id: string, data: string): Promise<Access> {
    const { configUid, envelope } = readSealedAccess(data);
    const plain = await openEnvelope(this.#encryption, envelope, placeOf(configUid, id));
    return { id, configUid, ...AccessContent.parse(parseJson(plain.toString())) };
  }

  #remember(access: Access): void {
    this.#damage.whole(`access ${access.id}`);
    this.#opened.set(access.id, access);
    const [oldest] = this.#opened.keys();
    if (this.#opened.size > MAX_REMEMBERED && oldest !== undefined) {
      this.#opened.delete(oldest);
    }
  }
}

function encode(access: Access): Buffer {
  const { id: _, configUid: __, ...content } = access;
  return Buffer.from(JSON.stringify(access.kind === 'direct' ? { ...content, token: access.token.reveal() } : content));
}

/** What is wrong with an access. */
function lossOf(id: string, problem: string, cause?: unknown): DataLoss {
  return new DataLoss('STORED_SECRET_DAMAGED', `access ${id}: ${problem}`, { cause });
}
