import { z } from 'zod';
import type { GatewayRef } from '../domain/config.ts';
import type { GatewayLink, SeenLink } from '../domain/gateway.ts';
import { parseJson } from '../domain/parse-json.ts';
import { DEFAULT_QUOTAS, type Quotas, quotaReached } from '../domain/quotas.ts';
import type { GatewayLinks } from '../ports/gateway-store.ts';
import type { RedisClient } from './connect-redis.ts';
import type { Keys } from './keys.ts';
import { LinkRecord } from './records.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';
import { storeCall } from './store-call.ts';

const announceScript = loadScript('announce-link', 'fresh-links');
const listScript = loadScript('list-links', 'fresh-links');

/** Three announcements may be lost before a link is given up. */
const BELIEVED_MS = 4_000;

/** Links of a gateway that nobody asks for are forgotten by Redis itself. */
const FORGOTTEN_MS = 60_000;

/**
 * Who holds which gateway's stream, in Redis. What it loses is announced again within a second, so no replica is waited
 * for.
 */
export class RedisGatewayLinks implements GatewayLinks {
  readonly #redis: RedisClient;
  readonly #scripts: ScriptRunner;
  readonly #keys: Keys;
  readonly #quotas: Quotas;

  constructor(redis: RedisClient, scripts: ScriptRunner, keys: Keys, quotas: Quotas = DEFAULT_QUOTAS) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#quotas = quotas;
  }

  async announce(link: GatewayLink): Promise<boolean> {
    const { name, uid } = link.gateway;
    const keys = [this.#keys.gateway(name), this.#keys.gatewayIdentity(link.identityId), this.#keys.gatewayLinks(uid)];
    const most = this.#quotas.streamsPerGateway;
    const args = [uid, link.id, JSON.stringify(link), FORGOTTEN_MS, most, BELIEVED_MS];
    const answer = await announceScript(this.#scripts, keys, args);
    if (answer === 'full') {
      throw quotaReached(this.#quotas, 'streamsPerGateway', `gateway:${name}`);
    }
    return answer === 'ok';
  }

  async withdraw({ id, gateway }: GatewayLink): Promise<void> {
    await storeCall(() => this.#redis.hdel(this.#keys.gatewayLinks(gateway.uid), id));
  }

  async of({ uid }: GatewayRef): Promise<SeenLink[]> {
    const stored = await listScript(this.#scripts, [this.#keys.gatewayLinks(uid)], [BELIEVED_MS]);
    return z.array(z.string()).parse(stored).map(readLink);
  }

  async lastSeen({ name, uid }: GatewayRef): Promise<number | undefined> {
    const [current, lastSeen] = await storeCall(() => this.#redis.hmget(this.#keys.gateway(name), 'uid', 'lastSeen'));
    return current === uid && lastSeen ? Number(lastSeen) : undefined;
  }
}

function readLink(stored: string): SeenLink {
  const blank = stored.indexOf(' ');
  return { ...LinkRecord.parse(parseJson(stored.slice(blank + 1))), lastSeenTime: Number(stored.slice(0, blank)) };
}
