import type { GatewayRef } from '../domain/config.ts';
import { AlreadyExists, NotFound } from '../domain/errors.ts';
import type { Gateway, GatewayIdentity } from '../domain/gateway.ts';
import { DEFAULT_QUOTAS, type Quotas, quotaReached } from '../domain/quotas.ts';
import type { GatewayStore } from '../ports/gateway-store.ts';
import type { RedisClient } from './connect-redis.ts';
import type { DamageReports } from './damage-reports.ts';
import type { Keys } from './keys.ts';
import { namesAfter, readPage } from './read-page.ts';
import { GatewayRecord, IdentityRecord } from './records.ts';
import { scanSet } from './scan-set.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';
import { storeCall } from './store-call.ts';

const createScript = loadScript('create-gateway', 'quota');
const deleteScript = loadScript('delete-gateway');
const revokeScript = loadScript('revoke-identities');
const keepTokenScript = loadScript('keep-enrolment-token');
const enrolScript = loadScript('enrol', 'quota');
const forgetScript = loadScript('forget-identities');

/** Identities that one script looks at: it takes about a millisecond. */
const SLICE = 500;

/** Gateways in Redis. Whether an identity or a token counts, its gateway says: by its uid and its generation. */
export class RedisGatewayStore implements GatewayStore {
  readonly #redis: RedisClient;
  readonly #scripts: ScriptRunner;
  readonly #keys: Keys;
  readonly #damage: DamageReports;
  readonly #quotas: Quotas;

  constructor(
    redis: RedisClient,
    scripts: ScriptRunner,
    keys: Keys,
    damage: DamageReports,
    quotas: Quotas = DEFAULT_QUOTAS,
  ) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#damage = damage;
    this.#quotas = quotas;
  }

  async create(gateway: Gateway, creator?: string): Promise<void> {
    const { name, uid } = gateway;
    const counts = creator === undefined ? [] : [this.#keys.gatewaysBy(creator)];
    const answer = await createScript(
      this.#scripts,
      [this.#keys.gateway(name), this.#keys.gatewayNames, ...counts],
      [name, uid, JSON.stringify(gateway), this.#quotas.gatewaysPerPrincipal],
    );
    if (answer === 'full') {
      throw quotaReached(this.#quotas, 'gatewaysPerPrincipal', `principal:${creator}`);
    }
    if (answer === 'taken') {
      throw new AlreadyExists('GATEWAY_NAME_TAKEN', `there is a gateway ${JSON.stringify(name)} already`);
    }
  }

  async get(name: string): Promise<Gateway | undefined> {
    const data = await storeCall(() => this.#redis.hget(this.#keys.gateway(name), 'data'));
    return data === null ? undefined : this.#damage.read(GatewayRecord, data, 'gateway', name);
  }

  list(page: { after: string; limit: number }): Promise<Gateway[]> {
    return readPage(page, {
      idsAfter: namesAfter(this.#redis, this.#keys.gatewayNames),
      read: (name) => this.get(name),
    });
  }

  async delete({ name, uid }: GatewayRef): Promise<void> {
    const keys = [this.#keys.gateway(name), this.#keys.gatewayNames, this.#keys.deletedGateways];
    expectOk(await deleteScript(this.#scripts, keys, [name, uid]), name);
    await this.#forgetVoidIdentities(uid);
    await this.#finishDeletions();
  }

  async keepToken({ name, uid }: GatewayRef, tokenHash: string, ttlMs: number, creator?: string): Promise<void> {
    const counts = creator === undefined ? [] : [this.#keys.enrollmentTokensBy(creator)];
    const keys = [this.#keys.enrolmentToken(tokenHash), this.#keys.gateway(name), ...counts];
    const most = this.#quotas.enrollmentTokensPerPrincipal;
    const answer = await keepTokenScript(this.#scripts, keys, [name, uid, ttlMs, tokenHash, most]);
    if (answer === 'full') {
      throw quotaReached(this.#quotas, 'enrollmentTokensPerPrincipal', `principal:${creator}`);
    }
    expectOk(answer, name);
  }

  async enrol(tokenHash: string, key: { id: string; publicKey: string }): Promise<GatewayIdentity | undefined> {
    const tokenKey = this.#keys.enrolmentToken(tokenHash);
    const [name, uid] = await storeCall(() => this.#redis.hmget(tokenKey, 'gateway', 'uid'));
    if (!name || !uid) {
      return undefined;
    }
    const keys = [
      tokenKey,
      this.#keys.gateway(name),
      this.#keys.gatewayIdentities(uid),
      this.#keys.gatewayIdentity(key.id),
    ];
    const most = this.#quotas.identitiesPerGateway;
    const id = String(await enrolScript(this.#scripts, keys, [key.id, key.publicKey, most]));
    if (id === 'full') {
      throw quotaReached(this.#quotas, 'identitiesPerGateway', `gateway:${name}`);
    }
    return id === '' ? undefined : { id, gateway: { name, uid }, publicKey: key.publicKey };
  }

  async identity(id: string): Promise<GatewayIdentity | undefined> {
    const found = IdentityRecord.safeParse(await storeCall(() => this.#redis.hgetall(this.#keys.gatewayIdentity(id))));
    if (!found.success) {
      return undefined;
    }
    const { gateway: name, uid, generation, publicKey } = found.data;
    const current = await storeCall(() => this.#redis.hmget(this.#keys.gateway(name), 'uid', 'generation'));
    const counts = current[0] === uid && current[1] === generation;
    return counts ? { id, gateway: { name, uid }, publicKey } : undefined;
  }

  countIdentities({ uid }: GatewayRef): Promise<number> {
    return storeCall(() => this.#redis.scard(this.#keys.gatewayIdentities(uid)));
  }

  async revokeIdentities({ name, uid }: GatewayRef): Promise<void> {
    expectOk(await revokeScript(this.#scripts, [this.#keys.gateway(name)], [uid]), name);
    await this.#forgetVoidIdentities(uid);
  }

  /** Whoever stops in between leaves some over. They are void all the same, and go with the next deletion. */
  async #forgetVoidIdentities(uid: string): Promise<void> {
    const keys = [this.#keys.gatewayIdentities(uid), this.#keys.deletedGateways];
    const [identity, gateway] = [this.#keys.gatewayIdentity(''), this.#keys.gateway('')];
    let cursor = '0';
    do {
      cursor = String(await forgetScript(this.#scripts, keys, [uid, identity, gateway, cursor, SLICE]));
    } while (cursor !== '0');
  }

  /** Deletions of others that stopped in between. */
  async #finishDeletions(): Promise<void> {
    for await (const uids of scanSet(this.#redis, this.#keys.deletedGateways)) {
      for (const uid of uids) {
        await this.#forgetVoidIdentities(uid);
      }
    }
  }
}

function expectOk(answer: unknown, name: string): void {
  if (answer !== 'ok') {
    throw new NotFound('gateway', name);
  }
}
