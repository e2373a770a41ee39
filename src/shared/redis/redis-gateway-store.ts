import type { GatewayRef } from '../domain/config.ts';
import { AlreadyExists, NotFound } from '../domain/errors.ts';
import type { Gateway, GatewayIdentity } from '../domain/gateway.ts';
import type { GatewayStore } from '../ports/gateway-store.ts';
import type { RedisClient } from './connect-redis.ts';
import type { DamageReports } from './damage-reports.ts';
import type { Keys } from './keys.ts';
import { namesAfter, readPage } from './read-page.ts';
import { GatewayRecord, IdentityRecord } from './records.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';
import { storeCall } from './store-call.ts';

const createScript = loadScript('create-gateway');
const deleteScript = loadScript('delete-gateway');
const revokeScript = loadScript('revoke-identities');
const keepTokenScript = loadScript('keep-enrolment-token');
const enrolScript = loadScript('enrol');

/** Gateways in Redis. Whether an identity or a token counts, its gateway says: by its uid and its generation. */
export class RedisGatewayStore implements GatewayStore {
  readonly #redis: RedisClient;
  readonly #scripts: ScriptRunner;
  readonly #keys: Keys;
  readonly #damage: DamageReports;

  constructor(redis: RedisClient, scripts: ScriptRunner, keys: Keys, damage: DamageReports) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#damage = damage;
  }

  async create(gateway: Gateway): Promise<void> {
    const { name, uid } = gateway;
    const answer = await createScript(
      this.#scripts,
      [this.#keys.gateway(name), this.#keys.gatewayNames],
      [name, uid, JSON.stringify(gateway)],
    );
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

  async delete(gateway: GatewayRef): Promise<void> {
    const { name, uid } = gateway;
    const keys = [this.#keys.gateway(name), this.#keys.gatewayNames, ...(await this.#identityKeys(uid))];
    expectOk(await deleteScript(this.#scripts, keys, [name, uid]), name);
  }

  async keepToken({ name, uid }: GatewayRef, tokenHash: string, ttlMs: number): Promise<void> {
    const keys = [this.#keys.enrolmentToken(tokenHash), this.#keys.gateway(name)];
    expectOk(await keepTokenScript(this.#scripts, keys, [name, uid, ttlMs]), name);
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
    const id = String(await enrolScript(this.#scripts, keys, [key.id, key.publicKey]));
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
    const keys = [this.#keys.gateway(name), ...(await this.#identityKeys(uid))];
    expectOk(await revokeScript(this.#scripts, keys, [uid]), name);
  }

  /** One that enrols meanwhile is left over, and counts no more than the others. */
  async #identityKeys(uid: string): Promise<string[]> {
    const ids = await storeCall(() => this.#redis.smembers(this.#keys.gatewayIdentities(uid)));
    return [this.#keys.gatewayIdentities(uid), ...ids.map((id) => this.#keys.gatewayIdentity(id))];
  }
}

function expectOk(answer: unknown, name: string): void {
  if (answer !== 'ok') {
    throw new NotFound('gateway', name);
  }
}
